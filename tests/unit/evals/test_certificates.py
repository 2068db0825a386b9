"""A certificate is read by its digest, or it says why it cannot be; the gateway never fails of it."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.unit.evals.test_bundles import Place
from tests.unit.gateway.test_certified import bank, certificate, rules
from tierwise.core.errors import ConfigError
from tierwise.evals import certificates
from tierwise.gateway.rules import Rules


def known(digest: str) -> Rules:
    return msgspec.structs.replace(rules(), workflows={"bank": bank(certificate=digest)})


def void(place: Place, digest: str) -> str:
    (found,) = certificates.certified(known(digest), place).values()
    assert found.digest == digest
    return "; ".join(found.void(0.0))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_what_was_kept_is_read_by_its_digest_for_its_owner_alone(place: Place):
    one = certificate(reference={"mid": (-0.2, -0.1)})
    path = certificates.keep(place, one)
    assert certificates.read(place, one.digest) == one
    assert path.stat().st_mode & 0o077 == 0


def test_one_that_is_missing_is_void(place: Place):
    assert "cannot be read: No such file" in void(place, certificate().digest)


def test_one_that_was_changed_is_void(place: Place):
    one = certificate()
    path = certificates.keep(place, one)
    path.write_bytes(path.read_bytes().replace(b'"max_wrong": 0.05', b'"max_wrong": 0.01'))
    assert "is not what its name says" in void(place, one.digest)


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_certificate_is_void(place: Place, data: bytes):
    path = certificates.keep(place, certificate())
    path.write_bytes(data)
    assert "is no certificate" in void(place, certificate().digest)


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:../../etc/passwd", "mine", "sha256:" + "A" * 64])
def test_what_is_no_digest_names_no_file(place: Place, digest: str):
    assert "is no digest of a certificate" in void(place, digest)
    with pytest.raises(ConfigError):
        certificates.read(place, digest)


def test_what_answers_now_is_compared_with_what_was_certified(place: Place):
    one = certificate()
    certificates.keep(place, one)
    said = void(place, one.digest)
    assert "changed: models (far, mid, scoped)" in said
    found = certificates.certified(known(one.digest), place)["bank"]
    assert found.bundle is not None
    same = msgspec.structs.replace(one, bundle=found.bundle)
    certificates.keep(place, same)
    assert void(place, same.digest) == ""


def test_a_workflow_that_names_none_has_none(place: Place):
    assert certificates.certified(rules(), place) == {}


def test_the_gateway_and_the_command_load_no_numpy_before_they_reckon():
    code = (
        "import sys, tierwise.bootstrap, tierwise.server.run, tierwise.cli.certify; print({'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
