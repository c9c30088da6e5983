"""Background runs on a Dask cluster that several servers share: `LLM_LAB_DASK` holds its address.

Its workers come and go by themselves and must have this code:

    dask worker tcp://scheduler:8786 --nthreads 1 --no-nanny --preload app.job_worker
"""

import uuid
from typing import Any

from distributed import Client, Future

from app.job_cluster import Pool
from app.job_worker import Wish


class SharedCluster(Pool):
    """Two servers may ask for the same run: each has its own, so that neither stops the other's."""

    def __init__(self, address: str):
        self._client = Client(address, set_as_default=False)
        self._server = uuid.uuid4().hex

    def keep(self, wanted: int) -> None:
        """How many workers there are is the cluster's affair."""

    def ready(self) -> int:
        """How many workers there are; what other servers leave no room for waits in Dask's queue."""
        return len(self._client.scheduler_info()["workers"])

    def submit(self, job: str, run_path: str, config: Any) -> Future:
        return super().submit(self._ours(job), run_path, config)

    def exchange(self, orders: dict[str, tuple[Wish, int]]) -> dict[str, tuple[int, list]]:
        jobs = {self._ours(job): job for job in orders}
        news = super().exchange({self._ours(job): order for job, order in orders.items()})
        return {jobs[ours]: told for ours, told in news.items()}

    def close(self) -> None:
        self._client.close(timeout=1)

    def _ours(self, job: str) -> str:
        return f"{self._server}-{job}"
