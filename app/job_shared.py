"""Background runs on a Dask cluster that several servers share: `LLM_LAB_DASK` holds its address.

Its workers come and go by themselves and must have this code:

    dask worker tcp://scheduler:8786 --nthreads 1 --no-nanny --preload app.job_worker
"""

from distributed import Client

from app.job_cluster import Pool


class SharedCluster(Pool):
    """Two servers may ask for the same run: each has its own, so that neither stops the other's."""

    def __init__(self, address: str):
        super().__init__(Client(address, set_as_default=False))

    def keep(self, wanted: int) -> None:
        """How many workers there are is the cluster's affair."""

    def ready(self) -> int:
        """How many workers there are; what other servers leave no room for waits in Dask's queue."""
        return len(self._client.nthreads())
