"""Starts, finds and ends a Vendure with its PostgreSQL, all its files under one state folder."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from real.postgres import PostgresServer
from real.processes import Daemon, kept_port, made_once, program, run
from real.vendure.graphql import GraphQL

HERE = Path(__file__).resolve().parent
APPLICATION_FILES = ("package.json", "package-lock.json", ".npmrc", "server.js")
SUPERADMIN = "superadmin"
SUPERADMIN_ROLE = "1"  # Vendure makes this role first, in every installation


@dataclass(frozen=True)
class Access:
    """Where a running Vendure answers, and as whom: a person's login and a program's key."""

    url: str
    user: str
    password: str
    api_key: str


class VendureServer:
    """One Vendure. A state folder that was used before is used again, with all its data.

    ``database`` names the shop: shops in one state folder share the installation, nothing else.
    """

    def __init__(self, state: Path, database: str = "vendure") -> None:
        self.state = state.resolve()
        self.postgres = PostgresServer(self.state / "postgres")
        self._database = database
        self._application = self.state / "application"
        self._shop = self.state / database
        self._access_file = self._shop / "access.json"
        self._daemon = Daemon(self._shop, "vendure")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{kept_port(self._shop, 'vendure')}/"

    def start(self) -> Access:
        """Install, initialise and start what is not yet, and say how to reach it.

        Raises RealSystemError.
        """
        self._install()
        self.postgres.start()
        if self.postgres.create_database(self._database):
            # A key to a database that is lost (it may lie among temporary files) opens nothing.
            self._access_file.unlink(missing_ok=True)
        access = self._known_access()
        node = program("node", "install Node.js 20 or newer")
        self._daemon.start(
            # The folder only tells the process from those of other shops.
            [node, self._application / "server.js", self._shop],
            self.is_healthy,
            environment={
                "VENDURE_PORT": str(kept_port(self._shop, "vendure")),
                "VENDURE_DATABASE_PORT": str(self.postgres.port),
                "VENDURE_DATABASE": self._database,
                "VENDURE_USER": access.user,
                "VENDURE_PASSWORD": access.password,
            },
        )
        if not access.api_key:
            access = self._with_api_key(access)
        return access

    def stop(self) -> None:
        """End Vendure and PostgreSQL; the data stay."""
        self._daemon.stop()
        self.postgres.stop()

    def remove(self) -> None:
        """End Vendure and forget all that the shop holds; the installation stays."""
        self._daemon.stop()
        if self._shop.is_dir():
            self.postgres.start()
            self.postgres.drop_database(self._database)
            shutil.rmtree(self._shop)
        if any(self.state.glob("*/access.json")):
            self.postgres.stop()
        else:
            self.postgres.remove()

    def is_healthy(self) -> bool:
        """Whether it answers and has its database."""
        try:
            return httpx.get(f"{self.url}health", trust_env=False, timeout=5).is_success
        except httpx.TransportError:
            return False

    def _install(self) -> None:
        content = "".join((HERE / name).read_text(encoding="utf-8") for name in APPLICATION_FILES)

        def install() -> None:
            for name in APPLICATION_FILES:
                shutil.copyfile(HERE / name, self._application / name)
            npm = program("npm", "install Node.js 20 or newer, with npm")
            run([npm, "ci", "--ignore-scripts", "--loglevel=error"], self._application)

        made_once(self._application, content, install)

    def _known_access(self) -> Access:
        """As it was written at the first start; a password is made up then."""
        if not self._access_file.is_file():
            self._write(Access(self.url, SUPERADMIN, secrets.token_urlsafe(18), ""))
        return Access(**json.loads(self._access_file.read_text(encoding="utf-8")))

    def _with_api_key(self, access: Access) -> Access:
        admin = GraphQL(access.url, "admin-api")
        admin.log_in(access.user, access.password)
        created = admin.run(
            "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { apiKey } }",
            input={
                "roleIds": [SUPERADMIN_ROLE],
                "translations": [{"languageCode": "en", "name": "tallyman"}],
            },
        )
        admin.close()
        complete = Access(
            access.url, access.user, access.password, created["createApiKey"]["apiKey"]
        )
        self._write(complete)
        return complete

    def _write(self, access: Access) -> None:
        self._shop.mkdir(parents=True, exist_ok=True)
        self._access_file.touch(mode=0o600)
        self._access_file.write_text(json.dumps(asdict(access), indent=2), encoding="utf-8")
