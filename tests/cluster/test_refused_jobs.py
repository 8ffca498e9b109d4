"""Jobs that a batch system refused: closing the cluster passes over them."""

from types import SimpleNamespace

import pytest

pytest.importorskip("dask_jobqueue")
from distributed.core import Status

from sweep.workers.jobs import _disown_refused


def test_only_a_job_without_a_number_has_nothing_to_close() -> None:
    accepted = SimpleNamespace(job_id="17", status=Status.running)
    refused = SimpleNamespace(job_id=None, status=Status.created)
    _disown_refused(SimpleNamespace(_created=[accepted, refused]))
    assert (accepted.status, refused.status) == (Status.running, Status.closed)
