"""Compare each new version of a registered model with the one in use, as MLflow's webhooks announce it.

    python -m examples.compare_on_webhook ./validation --model digits --secret-env WEBHOOK_SECRET --port 8321

Listens for the event that a version was created, compares the version with the one that has the alias
champion, and tags it with the verdict; docs/howto/webhooks.md shows how to create the webhook. The variable
named by --secret-env holds the webhook's secret: on the command line, a list of processes would show it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import logging
import os
import queue
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mlflow import MlflowClient, get_tracking_uri
from mlflow.webhooks.constants import (
    WEBHOOK_DELIVERY_ID_HEADER,
    WEBHOOK_SIGNATURE_HEADER,
    WEBHOOK_SIGNATURE_VERSION,
    WEBHOOK_TIMESTAMP_HEADER,
)

import mlflow_interp
from mlflow_interp.backend.startup import import_quietly
from mlflow_interp.call_options import plan_call
from mlflow_interp.comparing.models import check_methods
from mlflow_interp.comparison.gate_file import read_gate
from mlflow_interp.data.sources import find_inputs
from mlflow_interp.exceptions import InterpretationError, first_line, without_password

LARGEST_BODY = 1 << 20  # bytes; an event holds the description and the tags of a version
# MLflow repeats a delivery that fails with its first timestamp, by default for up to about two minutes.
OLDEST = 300  # seconds
SLOWEST = 10  # seconds that a client may take to send something, so that it holds no thread forever
WAITING = 1000  # versions
REMEMBERED = 10_000  # versions

_log = logging.getLogger("compare_on_webhook")


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    Attributes:
        name: of the registered model.
        number: of the version.
        source: the model that it was registered from. A model that is deleted and registered again counts its
            versions from 1 again; this tells them apart.
    """

    name: str
    number: str
    source: str

    @property
    def uri(self) -> str:
        """Where to find the version."""
        return f"models:/{self.name}/{self.number}"


def check_signature(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Check that MLflow sent a request, and not long ago.

    Args:
        secret: the secret of the webhook.
        headers: those of the request.
        body: the content of the request.
        now: the time, in seconds since 1970.

    Raises:
        Refused: the signature is missing or wrong, or the request is old.
    """
    unauthorized = HTTPStatus.UNAUTHORIZED
    given = {name.lower(): value for name, value in headers.items()}  # some proxies change the case
    names = (WEBHOOK_SIGNATURE_HEADER, WEBHOOK_DELIVERY_ID_HEADER, WEBHOOK_TIMESTAMP_HEADER)
    signature, delivery, timestamp = (given.get(name.lower(), "") for name in names)
    if not signature:
        raise Refused(unauthorized, "not signed; give the webhook a secret")
    # Dots separate the parts of the signed text. With one inside a part, it could be read in another way.
    if not re.fullmatch(r"[\w-]{1,100}", delivery, re.ASCII):
        raise Refused(unauthorized, f"no valid {WEBHOOK_DELIVERY_ID_HEADER}")
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        raise Refused(unauthorized, f"no valid {WEBHOOK_TIMESTAMP_HEADER}")
    signed = f"{delivery}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()
    # As bytes, because text that is not ASCII can't be compared.
    if not hmac.compare_digest(f"{WEBHOOK_SIGNATURE_VERSION},{digest}".encode(), signature.encode()):
        raise Refused(unauthorized, "wrong signature; the secret or the content differs")
    if abs(now - int(timestamp)) > OLDEST:
        raise Refused(unauthorized, f"sent more than {OLDEST} seconds ago, or one of the clocks is wrong")


def read_event(body: bytes) -> Version | None:
    """The version that was created; None for an event about anything else.

    Raises:
        Refused: this is not an event of MLflow's.
    """
    try:
        event = json.loads(body)
        kind, data = (event["entity"], event["action"]), event["data"]
        if kind != ("model_version", "created") or not _is_here(event):
            return None
        return _version(data)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "not an event of MLflow's") from error


def _is_here(event: Mapping[str, Any]) -> bool:
    """Whether an event is about the workspace that this process works in, if the server has workspaces."""
    return "workspace" not in event or event["workspace"] == (os.environ.get("MLFLOW_WORKSPACE") or "default")


def _version(data: Mapping[str, Any]) -> Version:
    name, number = data["name"], data["version"]
    # Inside a URI, these would make the name that of another model.
    if not name or not name.isprintable() or set("/\\:@#?%") & set(name):
        raise ValueError(f"{name!r} can't be part of a URI")
    if not re.fullmatch(r"[0-9]{1,18}", number):
        raise ValueError(f"{number!r} is no version")
    return Version(name, number, str(data.get("source")))


class Comparisons:
    """Compare versions one after another, each once, in a thread.

    Args:
        compare: compares a version, and returns what to log.
        waiting: how many versions may wait.
    """

    def __init__(self, compare: Callable[[Version], str], *, waiting: int = WAITING) -> None:
        self._compare = compare
        self._queue: queue.Queue[Version | None] = queue.Queue(waiting)
        self._known: dict[Version, None] = {}  # ordered, as a set is not
        self._lock = threading.Lock()
        # A daemon, so that a second Ctrl-C ends the process in the middle of a comparison.
        self._thread = threading.Thread(target=self._run, name="comparisons", daemon=True)

    def start(self) -> None:
        """Start to compare."""
        self._thread.start()

    def add(self, version: Version) -> bool:
        """Compare a version when those before it are done; return whether it is new.

        Raises:
            Refused: too many are waiting. MLflow then tries again.
        """
        with self._lock:
            if version in self._known:
                return False
            try:
                self._queue.put_nowait(version)
            except queue.Full:
                raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many versions are waiting") from None
            self._known[version] = None
            if len(self._known) > REMEMBERED:
                del self._known[next(iter(self._known))]
        return True

    def stop(self) -> list[Version]:
        """Wait for the comparison that is running, and return the versions that will not be compared."""
        left: list[Version] = []
        while True:
            try:
                left += filter(None, [self._queue.get_nowait()])
            except queue.Empty:
                break
        self._queue.put(None)
        self._thread.join()
        return left

    def _run(self) -> None:
        while (version := self._queue.get()) is not None:
            try:
                _log.info("%s: %s", version.uri, self._compare(version))
            # Whatever is wrong with one version, the next one is compared.
            except Exception as error:
                reason = without_password(f"{type(error).__name__}: {first_line(error)}")
                _log.error("%s: not compared: %s", version.uri, reason)


def compare_with_champion(version: Version, inputs: str, alias: str, methods: str, gate: str) -> str:
    """Compare a version with the one that has an alias, tag it, and return what to log."""
    aliases = MlflowClient().get_registered_model(version.name).aliases
    if str(aliases.get(alias)) == version.number:
        # Compared with itself, it would pass, which says nothing about it.
        return f"not compared: it has become the {alias}"
    old = f"models:/{version.name}@{alias}"
    found = mlflow_interp.compare(
        old, version.uri, inputs, methods, gate=gate, if_old_missing="pass", quiet=True
    )
    if found.interpretation is None:
        return f"not compared: {found.report['reason']}"
    rules = [each["rule"] for each in found.report.get("rules", ()) if each["status"] == found.verdict]
    reasons = f" ({', '.join(rules)})" if rules and found.verdict != "passed" else ""
    verdict = f"{found.verdict or 'compared'}{reasons}"
    return f"{verdict}, against {old} in run {found.run_id}"


def receiver(
    secret: str, comparisons: Comparisons, names: Collection[str] = ()
) -> type[BaseHTTPRequestHandler]:
    """The class that answers the requests of a webhook.

    Args:
        secret: of the webhook.
        comparisons: where versions are compared.
        names: the registered models whose versions are compared; all if there are none.
    """

    class Receiver(BaseHTTPRequestHandler):
        timeout = SLOWEST

        def do_POST(self) -> None:
            try:
                body = self._body()
                check_signature(secret, dict(self.headers), body, time.time())
                version = read_event(body)
                if version is None:
                    self._ignore("event", "no version was created here")
                elif names and version.name not in names:
                    self._ignore(version.uri, "another model")
                elif comparisons.add(version):
                    self._answer(HTTPStatus.ACCEPTED, "accepted")
                else:
                    _log.info("%s: announced again", version.uri)
                    self._answer(HTTPStatus.ACCEPTED, "known already")
            except Refused as refused:
                _log.warning("%s: refused: %s", self.address_string(), refused)
                self._answer(refused.status, str(refused))

        def _body(self) -> bytes:
            length = self.headers.get("Content-Length", "")
            if not re.fullmatch(r"[0-9]{1,12}", length):
                raise Refused(HTTPStatus.BAD_REQUEST, "no valid Content-Length")
            if int(length) > LARGEST_BODY:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"larger than {LARGEST_BODY} bytes")
            return self.rfile.read(int(length))

        def _ignore(self, what: str, reason: str) -> None:
            _log.info("%s: ignored: %s", what, reason)
            self._answer(HTTPStatus.OK, f"ignored: {reason}")

        def _answer(self, status: HTTPStatus, text: str) -> None:
            content = f"{text}\n".encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_request(self, *_: object) -> None:
            """Log nothing: each event already has its line."""

        def log_message(self, format: str, *args: Any) -> None:
            """Log what http.server refuses by itself, in one line whatever was sent."""
            text = (format % args).encode("unicode_escape").decode()
            _log.warning("%s: %s", self.address_string(), text)

    return Receiver


class Server(ThreadingHTTPServer):
    """Answer each request in its own thread, so that a slow client delays no other."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log in one line what prevents an answer, such as a client that went away."""
        _log.warning("%s: not answered: %s", client_address[0], type(sys.exc_info()[1]).__name__)


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, str]:
    """The options and the secret, after all checks that need no event; a wrong one ends the program."""
    parser = argparse.ArgumentParser(prog="python -m examples.compare_on_webhook", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("inputs", help="inputs to compare on, as for mlflow-interp compare; with labels")
    parser.add_argument(
        "--secret-env",
        default="WEBHOOK_SECRET",
        metavar="NAME",
        help="variable that holds the webhook's secret",
    )
    parser.add_argument(
        "--model",
        action="append",
        metavar="NAME",
        help="registered model that fits the inputs, if not all do",
    )
    parser.add_argument("--alias", default="champion", help="alias of the version in use")
    parser.add_argument("--methods", default="gradcam", help="methods whose heatmaps are compared")
    parser.add_argument("--gate", default="default", help="default, none, or a YAML file of rules")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8321, help="port to listen on; 0 for any that is free")
    options = parser.parse_args(arguments)
    secret = os.environ.get(options.secret_env, "")
    if not secret:
        parser.error(f"the variable {options.secret_env} is not set; it must hold the webhook's secret")
    try:
        # Now, and not with the first event, which may be days away.
        read_gate(options.gate)
        check_methods(plan_call(options.methods, {}))
        find_inputs(options.inputs)
    except InterpretationError as error:
        parser.error(str(error))
    return options, secret


def main(arguments: Sequence[str] | None = None) -> None:
    """Listen until Ctrl-C or a signal to terminate."""
    logging.basicConfig(format="%(asctime)s %(message)s")
    _log.setLevel(logging.INFO)
    options, secret = parse(arguments)
    import_quietly()

    def compare(version: Version) -> str:
        return compare_with_champion(version, options.inputs, options.alias, options.methods, options.gate)

    comparisons = Comparisons(compare)
    answers = receiver(secret, comparisons, options.model or ())
    with Server((options.host, options.port), answers) as server:
        comparisons.start()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        registry = without_password(get_tracking_uri())
        _log.info("listening on http://%s:%s for new versions in %s", *server.server_address[:2], registry)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            _log.info("stopping, after the comparison that is running; Ctrl-C again stops at once")
    for version in comparisons.stop():
        _log.warning("%s: not compared: stopped before its turn", version.uri)


if __name__ == "__main__":
    main()
