"""A secret anywhere in the URL of a store is neither printed nor stored."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st
from small_sweeps import sweep_file

from marsdisk.common.url_secrets import without_passwords
from sweep.cli import main
from sweep.cli.options import LocationParameter
from sweep.common.errors import StoreError
from sweep.store.locate import locate
from sweep.store.location import OBJECT_SCHEMES

SECRET = "hunter2"
#: Where people have put passwords, tokens and signatures.
FORMS = {
    "password": "{}://key:hunter2@bucket/x.zarr",
    "user": "{}://hunter2@bucket/x.zarr",
    "password with a slash": "{}://key:hunt/hunter2/er@bucket/x.zarr",
    "password with an at": "{}://key:hunter2@hunter2@bucket/x.zarr",
    "password without a host": "{}://key:hunter2/x.zarr",
    "password behind a slash too many": "{}:///key:hunter2@bucket/x.zarr",
    "escaped": "{}://key%3Ahunter2%40bucket/x.zarr",
    "query": "{}://bucket/x.zarr?X-Amz-Signature=hunter2",
    "query of the host": "{}://bucket?sig=hunter2",
    "query and fragment": "{}://bucket/x.zarr?a=hunter2#hunter2",
    "fragment": "{}://bucket/x.zarr#hunter2",
    "fragment of the host": "{}://bucket#hunter2/x.zarr",
    "fragment and query": "{}://bucket/x.zarr#hunter2?b=hunter2",
    "a slash that is lost": "{}:/key:hunter2@bucket/x.zarr",
    "both slashes lost": "{}:key:hunter2@bucket/x.zarr",
    "escaped query": "{}://bucket/x.zarr%3fsig=hunter2",
    "escaped fragment": "{}://bucket/x.zarr%23hunter2",
    "password further on": "{}://bucket/a/key:hunter2@x.zarr",
    "token behind a semicolon": "{}://bucket/x.zarr;token=hunter2",
    "token as a folder": "{}://bucket/token=hunter2/x.zarr",
    "setting": "{}://bucket/x.zarr&AWS_SECRET_ACCESS_KEY=hunter2",
    "setting of the host": "{}://sig=hunter2/x.zarr",
    "password and token": "{}://key:pw@bucket/x.zarr;token=hunter2",
    "user and token": "{}://c@bucket/x.zarr;token=hunter2",
    "password with a slash further on": "{}://bucket/a/key:hunt/hunter2@x",
    "escaped semicolon": "{}://bucket/x.zarr%3Btoken=hunter2",
    "escaped setting": "{}://bucket/x.zarr;token%3Dhunter2",
}
SCHEMES = (*OBJECT_SCHEMES, "https", "S3")
URLS = {
    f"{form} in {scheme}": url.format(scheme) for scheme in SCHEMES for form, url in FORMS.items()
}
for azure in ("abfs", "abfss"):
    del URLS[f"user in {azure}"]  # which is a container
URLS |= {
    f"{form} of a file": FORMS[form].format("file")
    for form in ("password", "user", "query", "fragment")
}
URLS["secret as a scheme"] = "key:hunter2@s3://bucket/x.zarr"

#: Every parameter of every command that takes a store.
PARAMETERS = [
    pytest.param(command, parameter, id=f"{name} {parameter.name}")
    for name, command in main.commands.items()
    for parameter in command.params
    if isinstance(parameter.type, LocationParameter)
]


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_a_url_with_a_secret_is_refused_without_it(url: str) -> None:
    for given_as in (url, Path(url)):
        try:
            shown = str(locate(given_as))
        except StoreError as error:
            shown = str(error)
        else:
            assert isinstance(given_as, Path), shown  # of which an ordinary path is left
            continue
        assert SECRET not in shown


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/date=2026-11-29/x.zarr",
        "s3://bucket/me@home/x.zarr",
        "s3://bucket/signal=3/tokens/x.zarr",
    ],
)
def test_a_path_that_holds_no_secret_is_taken(url: str) -> None:
    assert str(locate(url)) == url


URL_ELSEWHERE = "s3://key:hunter2@host/a.yaml"
ELSEWHERE = {
    "a sweep file": ["run", URL_ELSEWHERE],
    "a scheduler": ["run", "small.yaml", "--scheduler", "tcp://key:hunter2@host:8786"],
    "a scheduler of another kind": [
        "run",
        "small.yaml",
        "--scheduler",
        "ws://key:hunter2@host:8786",
    ],
    "a scheduler without a protocol": ["run", "small.yaml", "--scheduler", "key:hunter2@host:8786"],
    "the token of a scheduler": [
        "run",
        "small.yaml",
        "--scheduler",
        "tcp://***@host:1?token=hunter2",
    ],
    "a number of workers": ["run", "small.yaml", "--workers", URL_ELSEWHERE],
    "a number of failures": ["run", "small.yaml", "--max-failures", URL_ELSEWHERE],
    "a format": ["export", "FINISHED", "--to", URL_ELSEWHERE],
    "no key": ["run", "small.yaml", "--set", URL_ELSEWHERE],
    "a kind of picture": ["plot", "FINISHED", URL_ELSEWHERE],
    "one argument more": ["show", "FINISHED", URL_ELSEWHERE],
    "a command": [URL_ELSEWHERE],
    "an option": ["show", "FINISHED", f"--{URL_ELSEWHERE}"],
    "a profile": ["run", "small.yaml", "--cluster", URL_ELSEWHERE],
    "a key": ["run", "small.yaml", "--set", f"temperature.T0={URL_ELSEWHERE}"],
    "a table": ["run", "small.yaml", "--set", f"radiation.Q_pr={URL_ELSEWHERE}"],
    "a plan": ["plan", URL_ELSEWHERE],
    "expectations": ["expect", "FINISHED", "--file", URL_ELSEWHERE],
    "a run": ["card", "FINISHED", URL_ELSEWHERE],
    "a file to write": ["card", "FINISHED", "1", "--out", URL_ELSEWHERE],
    "a condition": ["show", "FINISHED", "--where", f"T0 > {URL_ELSEWHERE}"],
    "a column": ["show", "FINISHED", "--columns", URL_ELSEWHERE],
}


@pytest.mark.parametrize("words", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_url_in_the_wrong_place_is_named_without_its_password(
    words: list[str], finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep_file(tmp_path, axes={"dynamics.i0": [0.05, 0.1]})
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        main, [str(finished) if word == "FINISHED" else word for word in words]
    )
    assert done.exit_code == 2, done.output
    assert "***@host" in done.output
    assert SECRET not in done.output
    assert SECRET not in str(done.exception)


TEXTS = {
    "no store at s3://bucket/me@home/x.zarr": "no store at s3://bucket/me@home/x.zarr",
    "abfss://container@account.dfs.core.windows.net/x.zarr is away": (
        "abfss://container@account.dfs.core.windows.net/x.zarr is away"
    ),
    "give tcp://HOST:PORT, or s3://BUCKET/NAME.zarr": (
        "give tcp://HOST:PORT, or s3://BUCKET/NAME.zarr"
    ),
    "tcp://me:hunter2'hunter2@host:1 and 's3://hunter2@b/x'": "tcp://***@host:1 and 's3://***@b/x'",
    "s3:key:hunter2@bucket/x": "s3://***@bucket/x",
    "https://host/x?sig=hunter2": "https://host/x",
    "s3://bucket/x.zarr;token=hunter2": "s3://bucket/x.zarr;token=***",
    "file a.yaml, line 3: x@y": "file a.yaml, line 3: x@y",
    "line 9: env: {AWS_SECRET_ACCESS_KEY: hunter2, X: 3}": (
        "line 9: env: {AWS_SECRET_ACCESS_KEY: ***, X: 3}"
    ),
    "export api_key=hunter2": "export api_key=***",
    "InvalidAccessKeyId: it does not know this access key": (
        "InvalidAccessKeyId: it does not know this access key"
    ),
    "AWS_SESSION_TOKEN: hunter2": "AWS_SESSION_TOKEN: ***",
    "answered 400 Bad Request, ExpiredToken: the credentials have expired": (
        "answered 400 Bad Request, ExpiredToken: the credentials have expired"
    ),
    "no credentials were found (such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)": (
        "no credentials were found (such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
    ),
}


@pytest.mark.parametrize("text", TEXTS)
def test_secrets_of_urls_are_hidden_in_a_text_and_nothing_else_is(text: str) -> None:
    assert without_passwords(text) == TEXTS[text]


def words_of(command: click.Command, parameter: click.Parameter, url: str) -> list[str]:
    """Return a command line with a URL for one parameter and values for all required others."""
    words = []
    for option in command.params:
        value = url if option is parameter else "x.zarr"
        if isinstance(option, click.Argument):
            words.append(value)
        elif option is parameter or option.required:
            words += [option.opts[0], value]
    return words


def test_there_are_commands_that_take_a_store() -> None:
    names = {str(parameter.id).split()[0] for parameter in PARAMETERS}
    assert {
        "run",
        "resume",
        "status",
        "show",
        "doctor",
        "browse",
        "export",
        "submit",
        "compare",
    } <= names


@pytest.mark.parametrize(("command", "parameter"), PARAMETERS)
def test_no_command_prints_or_keeps_a_secret_of_a_url(
    command: click.Command,
    parameter: click.Parameter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep_file(tmp_path, "x.zarr", axes={"temperature.T0": [3000.0]})
    before = {path.name for path in tmp_path.iterdir()}
    for form in FORMS.values():
        words = words_of(command, parameter, form.format("s3"))
        done = CliRunner().invoke(main, [str(command.name), *words])
        assert done.exit_code == 2, (words, done.output)
        assert SECRET not in done.output, words
    assert {path.name for path in tmp_path.iterdir()} == before


@example(scheme="s3", before="@", behind="?", where="{}://key:{}@bucket/x.zarr")
@given(
    scheme=st.sampled_from(SCHEMES),
    before=st.text("a1:/@%?#", max_size=5),
    behind=st.text("a1:/@%?#", max_size=5),
    where=st.sampled_from(
        ["{}://key:{}@bucket/x.zarr", "{}://bucket/x.zarr?{}", "{}://bucket/x.zarr#{}"]
    ),
)
def test_no_spelling_of_a_password_is_shown(
    scheme: str, before: str, behind: str, where: str
) -> None:
    with pytest.raises(StoreError) as caught:
        locate(where.format(scheme, before + SECRET + behind))
    assert SECRET not in str(caught.value)
