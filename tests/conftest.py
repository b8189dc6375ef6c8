"""What every test can ask for: a migrated database (SQLite, PostgreSQL or each in turn) and quick settings.

Nothing here reads the developer's environment or `.env`: the variables are removed before the first import of a
test, and the tests run in an empty folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

for _name in [name for name in os.environ if name.startswith(("HUISSTIJL_", "SLACK_"))]:
    del os.environ[_name]

# Tests run beside each other, and tiny models are fastest on one thread; waiting threads of OpenMP eat whole cores.
os.environ["OMP_NUM_THREADS"] = "1"
# Processes that tests start import what the tests do; Python's fork server hands its path on in no other way.
os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])

# The same examples every time: a run that fails here fails everywhere, and none for being slow on a busy machine.
hypothesis.settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("repeatable")

from config.settings import Settings
from db.session import Database
from db.upgrade import upgrade_database
from tests.support.postgres import Postgres, run_postgres


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests begin first, so that no worker is left with one when the others have nothing to do any more."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session", autouse=True)
def _away_from_any_env_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("working-folder"))
    yield
    os.chdir(before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Production's times, ten times faster or more; data in the test's own folder; SQLite."""
    return Settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        heartbeat_seconds=0.5,
        lease_seconds=3.0,
        tick_seconds=0.5,
        poll_seconds=0.25,
    )


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base model that runs train on; nobody writes to it."""
    from tests.support.runs import make_base_model  # with torch, which most tests do without

    return make_base_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with run_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Postgres) -> str:
    """Name of a migrated database that nobody is connected to, to copy from."""
    name = postgres_server.new_database()
    _migrate(postgres_server.url(name))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "huisstijl.db"
    _migrate(f"sqlite:///{path}")
    return path


def _migrate(url: str) -> None:
    database = Database(url)
    upgrade_database(database)
    database.dispose()


@pytest.fixture
def sqlite_database(tmp_path: Path, sqlite_template: Path) -> Iterator[Database]:
    """A migrated, empty SQLite database of this test alone."""
    path = tmp_path / "data" / "huisstijl.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.dispose()


@pytest.fixture
def postgres_database(postgres_server: Postgres, postgres_template: str) -> Iterator[Database]:
    """A migrated, empty PostgreSQL database of this test alone."""
    name = postgres_server.new_database(postgres_template)
    database = Database(postgres_server.url(name))
    yield database
    database.dispose()
    postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    """A migrated, empty database of this test alone, on each of the two systems in turn."""
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database without any table, on each of the two systems in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    name = server.new_database()
    yield server.url(name)
    server.drop_database(name)
