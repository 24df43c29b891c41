"""PostgreSQL runs wherever its folder is, as root, too, and leaves nothing behind."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from threading import Thread

from real.postgres import PostgresServer


def test_it_runs_from_a_folder_that_only_its_owner_can_enter(tmp_path: Path) -> None:
    outside = set(Path(tempfile.gettempdir()).glob("tallyman-postgres-*"))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = PostgresServer(closed / "postgres")
    try:
        server.start()
        assert server.create_database("kept")
        server.stop()
        again = PostgresServer(closed / "postgres")
        again.start()
        assert "kept" in again.databases()
        assert not again.create_database("kept")
    finally:
        server.remove()
    assert set(Path(tempfile.gettempdir()).glob("tallyman-postgres-*")) == outside


def test_a_port_that_listens_is_no_database_yet(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "postgres")
    with socket.create_server(("127.0.0.1", server.port)) as listener:
        # Whoever connects is sent away, as by a cluster that is starting up.
        listener.settimeout(60)
        sent_away = Thread(target=lambda: listener.accept()[0].close())
        sent_away.start()
        assert not server._accepts()
        sent_away.join()
