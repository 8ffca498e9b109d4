"""The image and the services are as docker/README.md says, as far as an engine is not needed."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dask
import pytest
import yaml
from compose_spec import PyCompose
from containers import (
    COMPOSE,
    DOCKER,
    ROOT,
    SERVICES,
    argument,
    environment_of_image,
    instructions,
    last,
)

import marsdisk
from sweep.workers.start import SETTINGS


def check(compose: dict[str, Any]) -> None:
    """Raise ValueError unless it follows the Compose specification and all references are defined.

    The parser does not put in defaults.
    """
    # which the parser does not put in
    defaults = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", yaml.safe_dump(compose))
    parsed = PyCompose.from_yaml(defaults)
    for validate in (parsed.validate, parsed.validate_networks, parsed.validate_volumes):
        validate()


def test_compose_file_follows_the_specification() -> None:
    check(COMPOSE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"networks": ["elsewhere"]},
        {"ports": ["127.0.0.1:99999:1"]},
        {"restart": "sometimes"},
        {"comand": "sweep"},
    ],
)
def test_a_wrong_compose_file_would_be_found(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        check({**COMPOSE, "services": {**SERVICES, "worker": {**SERVICES["worker"], **wrong}}})


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("hadolint")), str(DOCKER / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_may_do_only_what_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert "privileged" not in service
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert service["volumes"] == ["data:/data"]
    assert ("healthcheck" in service) == (name != "submit")
    assert isinstance(service["command"], list)  # no shell, which would keep signals to itself


def test_the_image_of_all_services_is_built_once() -> None:
    assert [name for name, service in SERVICES.items() if "build" in service] == ["scheduler"]
    assert len({service["image"] for service in SERVICES.values()}) == 1
    assert {service["pull_policy"] for service in SERVICES.values()} == {"never"}


def test_a_page_whose_store_is_missing_is_not_started_again_and_again() -> None:
    assert SERVICES["browse"]["restart"] == "no"


def test_the_image_is_run_by_a_user_without_rights_and_hears_signals() -> None:
    assert int(last("USER").split(":")[0]) > 0
    assert last("STOPSIGNAL") == "SIGTERM"
    for instruction in ("ENTRYPOINT", "CMD"):
        assert isinstance(json.loads(last(instruction)), list)
    script = (DOCKER / "with-kernels").read_text(encoding="utf-8")
    assert script.splitlines()[-1] == 'exec "$@"'
    assert os.access(DOCKER / "with-kernels", os.X_OK)
    assert SERVICES["worker"]["image"] == f"marsdisk:{version('marsdisk')}"


def test_the_image_holds_pinned_versions_and_what_the_build_needs() -> None:
    builds = [rest for word, rest in instructions() if word == "RUN"]
    assert "--constraint constraints.txt" in builds[0]
    copied = {
        source
        for word, rest in instructions()
        if word == "COPY"
        for source in rest.split()[:-1]
        if not source.startswith("--")
    }
    let_in = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)
    extras = argument("EXTRAS").split(",")
    assert set(extras) <= set(
        re.findall(r"(?m)^(\w+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    )


def test_machine_code_of_the_image_serves_every_processor() -> None:
    assert (
        environment_of_image().items()
        >= {
            "NUMBA_CPU_NAME": "generic",
            "NUMBA_CPU_FEATURES": "",
        }.items()
    )


def test_workers_of_the_containers_have_the_settings_of_our_own() -> None:
    environment = SERVICES["worker"]["environment"]
    ours = {
        key: value for key, value in SETTINGS.items() if not key.startswith("distributed.nanny.")
    }
    theirs = dask.config.collect_env(
        {name: value for name, value in environment.items() if name.startswith("DASK_")}
    )
    assert {key: dask.config.get(key, config=theirs) for key in ours} == ours
    spawned = {
        key.removeprefix("distributed.nanny.pre-spawn-environ."): str(value)
        for key, value in SETTINGS.items()
        if "pre-spawn-environ" in key
    }
    assert {name: environment[name] for name in spawned if not name.startswith("DASK_LOGGING")} == {
        name: value for name, value in spawned.items() if not name.startswith("DASK_LOGGING")
    }


def test_the_commands_of_the_page_are_there() -> None:
    page = (DOCKER / "README.md").read_text(encoding="utf-8")
    for words in re.findall(r"run --rm (\w+)|--scale (\w+)=|--detach (\w+) ", page):
        assert "".join(words) in SERVICES
    assert (
        Path(marsdisk.__file__).parents[1] / "configs" / "sweeps" / "temperature_supply.yaml"
    ).exists()
