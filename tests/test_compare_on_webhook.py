"""The example that compares new versions when MLflow's webhooks announce them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import keras
import mlflow
import numpy as np
import pytest
from cryptography.fernet import Fernet

from docs.pictures import served
from examples.compare_on_webhook import (
    LARGEST_BODY,
    OLDEST,
    Comparisons,
    Refused,
    Server,
    Version,
    check_signature,
    compare_with_champion,
    parse,
    read_event,
    receiver,
)

PROJECT = Path(__file__).parent.parent
SECRET, NOW = "a secret with ümläuts", 1_800_000_000
DIGITS = Version("digits", "2", "models:/m-1")


def event(**changes):
    data = {"name": "digits", "version": "2", "source": "models:/m-1", "run_id": None, "tags": {}}
    whole = {"entity": "model_version", "action": "created", "timestamp": "2027-01-15T08:00:00+00:00"}
    return json.dumps(whole | {"data": data | changes}).encode()


def signed(body, *, secret=SECRET, at=NOW, delivery="7d9f6a3e-5b1c-4f0e-9a53-0c8de4c8a6b2"):
    """Headers as MLflow makes them; see Standard Webhooks."""
    digest = hmac.new(secret.encode(), f"{delivery}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": str(at),
        "X-MLflow-Signature": "v1," + base64.b64encode(digest).decode(),
    }


def test_a_signature_known_by_hand():
    """Computed with: printf 'id-1.1800000000.{}' | openssl dgst -sha256 -hmac secret -binary | base64."""
    known = "v1,kIzUu4p86W6SWIGDwqzF2SpRHUE1e7EsfD69cIH1EGw="
    headers = {
        "X-MLflow-Delivery-Id": "id-1",
        "X-MLflow-Timestamp": "1800000000",
        "X-MLflow-Signature": known,
    }
    check_signature("secret", headers, b"{}", NOW)


@pytest.mark.parametrize("late", [0, OLDEST, -OLDEST])
def test_what_mlflow_signed_is_accepted(late):
    check_signature(SECRET, signed(event()), event(), NOW + late)
    lower = {name.lower(): value for name, value in signed(event()).items()}  # as through some proxies
    check_signature(SECRET, lower, event(), NOW + late)


@pytest.mark.parametrize(
    ("headers", "body", "message"),
    [
        ({}, event(), "not signed"),
        (signed(event()) | {"X-MLflow-Signature": ""}, event(), "not signed"),
        (signed(event(), secret="another"), event(), "wrong signature"),
        (signed(event()), event(version="3"), "wrong signature"),
        (signed(event()), b"", "wrong signature"),
        (signed(event()) | {"X-MLflow-Delivery-Id": "another"}, event(), "wrong signature"),
        (signed(event()) | {"X-MLflow-Timestamp": str(NOW + 1)}, event(), "wrong signature"),
        (signed(event()) | {"X-MLflow-Signature": "v1,é"}, event(), "wrong signature"),
        (
            signed(event()) | {"X-MLflow-Signature": signed(event())["X-MLflow-Signature"][3:]},
            event(),
            "wrong signature",
        ),
        (signed(event(), at=NOW - OLDEST - 1), event(), "seconds ago"),
        (signed(event(), at=NOW + OLDEST + 1), event(), "seconds ago"),
        (signed(event(), at="soon"), event(), "no valid X-MLflow-Timestamp"),
        (signed(event(), at=""), event(), "no valid X-MLflow-Timestamp"),
        (signed(event(), at="9" * 5000), event(), "no valid X-MLflow-Timestamp"),
        (signed(event(), delivery=""), event(), "no valid X-MLflow-Delivery-Id"),
        # The same text is signed, but its parts are others.
        (signed(event(), delivery="7d9f.1"), event(), "no valid X-MLflow-Delivery-Id"),
    ],
)
def test_anything_else_is_refused(headers, body, message):
    with pytest.raises(Refused, match=message) as refused:
        check_signature(SECRET, headers, body, NOW)
    assert refused.value.status == 401


def test_events():
    assert read_event(event()) == DIGITS
    assert DIGITS.uri == "models:/digits/2"
    assert read_event(event().replace(b"created", b"deleted")) is None
    assert read_event(b'{"entity": "prompt_version", "action": "created", "data": {}}') is None


def test_events_of_another_workspace_are_ignored(monkeypatch):
    elsewhere = event().replace(b'{"entity"', b'{"workspace": "team", "entity"')
    assert read_event(elsewhere) is None
    monkeypatch.setenv("MLFLOW_WORKSPACE", "team")
    assert read_event(elsewhere) == DIGITS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"2",
        b"\xff",
        b"[" * 200_000,
        b'{"entity": "model_version", "action": "created"}',
        b'{"entity": "model_version", "action": "created", "data": []}',
        event(version=2),
        event(version="latest"),
        event(version="../1"),
        event(version="9" * 50),
        event(name=None),
        event(name=""),
        event(name="digits/1"),
        event(name="digits@champion"),
        event(name="digits#"),
        event(name="digits?"),
        event(name="two\nlines"),
    ],
)
def test_malformed_events_are_refused(body):
    with pytest.raises(Refused) as refused:
        read_event(body)
    assert refused.value.status == 400


def until(found, what, process=None):
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if result := found():
            return result
        assert process is None or process.poll() is None, f"ended while waiting for {what}"
        time.sleep(0.3)
    raise AssertionError(f"waited in vain for {what}")


class Running:
    """A receiver on loopback whose comparisons are replaced by a function."""

    def __init__(self, compare, **options):
        self.comparisons = Comparisons(compare, **options)
        self.server = Server(("127.0.0.1", 0), receiver(SECRET, self.comparisons, ["digits"]))

    def __enter__(self):
        self.comparisons.start()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def send(self, body, headers=None, method="POST"):
        connection = http.client.HTTPConnection(*self.server.server_address, timeout=10)
        headers = signed(body, at=int(time.time())) if headers is None else headers
        connection.request(method, "/", body, headers)
        return connection.getresponse().status


def test_requests_are_answered_at_once_and_each_version_is_compared_once(caplog):
    caplog.set_level(logging.INFO, logger="compare_on_webhook")
    compared, go_on = [], threading.Event()

    def compare(version):
        go_on.wait(10)
        compared.append(version)
        if version.number == "2":
            raise RuntimeError("no http://me:hunter2@host\nmore lines")
        return "passed"

    with Running(compare) as running:
        assert running.send(event()) == 202
        assert running.send(event()) == 202
        assert running.send(event(version="3")) == 202
        assert running.send(event(source="models:/m-2")) == 202
        assert running.send(event(name="letters")) == 200
        assert running.send(event(), {}) == 401
        assert running.send(event(), signed(event(), at=int(time.time()) - 2 * OLDEST)) == 401
        assert running.send(b"{}") == 400
        assert running.send(event().replace(b"created", b"deleted")) == 200
        assert running.send(b"", method="GET") == 501
        assert not compared
        go_on.set()
        until(lambda: len(compared) == 3, "three comparisons")
        assert running.comparisons.stop() == []
    assert compared == [DIGITS, Version("digits", "3", "models:/m-1"), Version("digits", "2", "models:/m-2")]
    lines = [each.getMessage() for each in caplog.records if "models:/" in each.getMessage()]
    error = "models:/digits/2: not compared: RuntimeError: no http://host"
    received = ["models:/digits/2: announced again", "models:/letters/2: ignored: another model"]
    assert lines == [*received, error, "models:/digits/3: passed", error]


def test_requests_of_any_size_and_those_that_break_off(caplog):
    with Running(lambda version: "passed") as running:
        assert running.send(b"", {"Content-Length": str(LARGEST_BODY + 1)}) == 413
        assert running.send(b"", {"Content-Length": "-1"}) == 400
        assert running.send(iter([b"chunk"]), {}) == 400  # of unknown length
        with socket.create_connection(running.server.server_address) as broken:
            broken.sendall(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")
        with socket.create_connection(running.server.server_address) as broken:
            broken.sendall(b"\x1b[31m\x00\r\n\r\n")
            broken.recv(1000)
        assert running.send(event()) == 202
    assert not any("\x1b" in each.getMessage() for each in caplog.records)


def test_too_many_versions_that_wait():
    started, go_on = threading.Event(), threading.Event()

    def compare(version):
        started.set()
        go_on.wait(10)
        return "passed"

    with Running(compare, waiting=1) as running:
        assert running.send(event(version="1")) == 202
        assert started.wait(10)  # so that version 1 no longer waits
        assert running.send(event(version="2")) == 202
        assert running.send(event(version="3")) == 503
        go_on.set()
        # As MLflow does after a 503.
        assert until(lambda: running.send(event(version="3")) == 202, "a place in the queue")


def test_waiting_versions_are_named_at_the_end():
    running, go_on = threading.Event(), threading.Event()

    def compare(version):
        running.set()
        go_on.wait(10)
        return "passed"

    comparisons = Comparisons(compare)
    comparisons.start()
    others = [Version("digits", str(number), "") for number in (3, 4)]
    for each in (DIGITS, *others):
        comparisons.add(each)
    assert running.wait(10)
    threading.Timer(0.1, go_on.set).start()
    assert comparisons.stop() == others


def test_the_champion_is_not_compared_with_itself(registered):
    said = compare_with_champion(Version("tiny", "1", ""), "nothing.npz", "champion", "gradcam", "default")
    assert said == "not compared: it has become the champion"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.npz"], "the variable WEBHOOK_SECRET is not set"),
        (["nothing.npz", "--secret-env", "FILLED"], "'nothing.npz'"),
        (["nothing.npz", "--secret-env", "FILLED", "--methods", "gradcm"], "no method 'gradcm'"),
        (["nothing.npz", "--secret-env", "FILLED", "--gate", "none.yaml"], "none.yaml"),
    ],
)
def test_mistakes_are_reported_at_the_start(arguments, message, monkeypatch, capsys):
    monkeypatch.delenv("WEBHOOK_SECRET", raising=False)
    monkeypatch.setenv("FILLED", SECRET)
    with pytest.raises(SystemExit):
        parse(arguments)
    assert message in capsys.readouterr().err


@pytest.fixture
def server(tmp_path):
    """A real MLflow server that may call a webhook on loopback."""
    settings = {
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
    }
    before = mlflow.get_tracking_uri()
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with served(uri, artifacts=tmp_path / "artifacts", settings=settings) as address:
        mlflow.set_tracking_uri(address)
        mlflow.set_experiment("digits")
        yield address
    mlflow.set_tracking_uri(before)
    mlflow.tracking.fluent._active_experiment_id = None
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)


@pytest.mark.slow
def test_new_versions_are_compared_when_mlflow_calls(server, digits, tmp_path):
    model, pixels, labels = digits
    np.savez(tmp_path / "digits.npz", x=pixels, y=labels)
    log = tmp_path / "log.txt"
    command = [sys.executable, "-m", "examples.compare_on_webhook", str(tmp_path / "digits.npz")]
    with log.open("w") as written:
        process = subprocess.Popen(
            [*command, "--model", "digits", "--secret-env", "SHARED", "--port", "0"],
            cwd=PROJECT,
            env=os.environ | {"SHARED": SECRET, "MLFLOW_TRACKING_URI": server},
            stderr=written,
        )
    try:
        check_comparisons(model, log, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait(30)


def check_comparisons(model, log, process):
    def said(pattern):
        return until(lambda: re.search(pattern, log.read_text(encoding="utf-8")), pattern, process)

    address = said(r"listening on (http://127\.0\.0\.1:\d+) ")[1]
    client = mlflow.MlflowClient()
    webhook = client.create_webhook("compare", address, ["model_version.created"], secret=SECRET)
    assert client.test_webhook(webhook.webhook_id).response_status == 200
    said(r"models:/example_model/1: ignored: another model")

    register(model)
    said(r"models:/digits/1: not compared: .*no alias 'champion'")
    client.set_registered_model_alias("digits", "champion", "1")
    blind = keras.models.clone_model(model)
    blind.set_weights(model.get_weights())
    kernel, bias = blind.get_layer("head").get_weights()
    bias[8] = -100  # so that no 8 is ever predicted
    blind.get_layer("head").set_weights([kernel, bias])
    register(blind)
    register(keras.Sequential([model, keras.layers.Lambda(lambda scores: scores)]))
    register(model)

    def gate(number):
        return client.get_model_version("digits", number).tags.get("mlflow_interp.gate")

    assert until(lambda: gate("2"), "the tag of version 2", process) == "failed"
    said(r"models:/digits/3: not compared: ModelError: .*Lambda")
    assert until(lambda: gate("4"), "the tag of version 4", process) == "passed"
    assert gate("1") is gate("3") is None
    tags = client.get_model_version("digits", "2").tags
    assert tags["mlflow_interp.compare.against"].startswith("models:/digits")
    run_id = tags["mlflow_interp.comparison.run_id"]
    assert client.get_run(run_id).data.tags["mlflow_interp.gate"] == "failed"
    said(rf"models:/digits/2: failed \(.*accuracy_drop.*\), against \S+@champion in run {run_id}")

    client.update_webhook(webhook.webhook_id, secret="another")
    assert client.test_webhook(webhook.webhook_id).response_status == 401
    said("refused: wrong signature")


def register(model):
    with mlflow.start_run():
        mlflow.keras.log_model(
            model, name="model", registered_model_name="digits", pip_requirements=["keras"]
        )
