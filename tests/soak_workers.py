"""Threads that use a service all at once, and complain of what must not be."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any, Final

import httpx2

from index.store import SnapshotStore
from soak_service import ROOT, TIMEOUT_S, TOKEN, Service
from soak_truth import State, Truth

KS: Final = (1, 3, 10, 1000)


class Soak:
    """What all threads share."""

    def __init__(self, service: Service, truth: Truth, store: SnapshotStore) -> None:
        self.service = service
        self.truth = truth
        self.store = store
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.stop = threading.Event()
        self._counting = threading.Lock()

    def count(self, what: str) -> None:
        """One more of it."""
        with self._counting:
            self.counts[what] += 1

    def fail(self, what: str) -> None:
        """Something that must not be."""
        with self._counting:
            self.failures.append(what)
        print(f"FAILED {what}", flush=True)

    def call(self, http: httpx2.Client, method: str, path: str, **options: Any) -> httpx2.Response | None:
        """An answer, or None where a kill cut it off."""
        start = time.monotonic()
        try:
            response = http.request(method, f"{self.service.url}{path}", **options)
        except httpx2.TransportError as error:
            if self.service.killed_at >= start or not self.service.up.is_set():
                self.count("cut off by a kill")
            else:
                self.fail(f"{method} {path}: {type(error).__name__}: {error}")
            return None
        self.count(f"{method} {re.sub('[0-9a-f]{32}', 'ID', path).partition('?')[0]}")
        return response


class Worker(threading.Thread):
    """Does one thing after the other, while there is a service."""

    def __init__(self, soak: Soak, seed: int) -> None:
        super().__init__(daemon=True)
        self.soak, self.rng = soak, random.Random(seed)

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx2.Client(timeout=TIMEOUT_S, headers=headers) as http:
            while not self.soak.stop.is_set():
                if self.soak.service.up.wait(0.1):
                    try:
                        self.act(http)
                    except Exception as error:
                        self.soak.fail(f"{type(self).__name__}: {type(error).__name__}: {error}")

    def act(self, http: httpx2.Client) -> None:
        """One thing."""
        raise NotImplementedError

    def expect(self, response: httpx2.Response | None, *statuses: int) -> bool:
        """Whether there is an answer, and one of these."""
        if response is not None and response.status_code not in statuses:
            self.soak.fail(f"{response.request.method} {response.request.url}: {response.status_code} {response.text}")
        return response is not None and response.status_code in statuses


class Reader(Worker):
    """Searches, classifies, and looks at pictures."""

    def act(self, http: httpx2.Client) -> None:
        truth, before = self.soak.truth, self.soak.truth.states()
        seed = self.rng.choice([*truth.pictures])
        new = truth.pictures[seed]
        match self.rng.choices(["search", "classify", "picture"], [6, 2, 2])[0]:
            case "search":
                self._search(http, seed, before)
            case "classify":
                response = self.soak.call(http, "POST", "/classify", content=new.data)
                emotion = response.json()["emotion"] if response is not None and self.expect(response, 200) else None
                if emotion not in (None, truth.emotions[seed]):
                    self.soak.fail(f"classify of {seed}: {emotion}, not {truth.emotions[seed]}")
            case _:
                response = self.soak.call(http, "GET", f"/images/{new.id}")
                if response is None or truth.states()[seed] != before[seed] or before[seed].is_in is None:
                    return
                is_shown = self.expect(response, 200 if before[seed].is_in else 404) and response.is_success
                if is_shown and response.content != new.data:
                    self.soak.fail(f"picture {seed} has other bytes")

    def _search(self, http: httpx2.Client, seed: int, before: dict[int, State]) -> None:
        k, truth = self.rng.choice(KS), self.soak.truth
        response = self.soak.call(http, "POST", f"/search?k={k}", content=truth.pictures[seed].data)
        if response is None or not self.expect(response, 200):
            return
        self.soak.count("answers checked against brute force")
        if complaint := truth.complaint(seed, k, response.json()["results"], before):
            self.soak.fail(f"search of {seed}: {complaint}")


class Writer(Worker):
    """Adds and deletes its own pictures."""

    def __init__(self, soak: Soak, seed: int, mine: list[int]) -> None:
        super().__init__(soak, seed)
        self._mine = mine

    def act(self, http: httpx2.Client) -> None:
        truth, seed = self.soak.truth, self.rng.choice(self._mine)
        new, was_in = truth.pictures[seed], truth.is_in(seed)
        if was_in is None:
            time.sleep(0.01)  # cut off; whoever starts the service again looks what became of it
            return
        truth.begin(seed)
        if was_in:
            response = self.soak.call(http, "DELETE", f"/images/{new.id}")
            is_answered = self.expect(response, 204)
        else:
            response = self.soak.call(http, "POST", "/images", files={"file": ("x.png", new.data)})
            is_answered = self.expect(response, 201)
        if is_answered:
            truth.settle(seed, is_in=not was_in)
        time.sleep(self.rng.uniform(0, 0.02))


class Admin(Worker):
    """Builds, compacts, rolls back, and kills builds."""

    def act(self, http: httpx2.Client) -> None:
        action = self.rng.choices(["rebuild", "killed rebuild", "compact", "rollback"], [4, 1, 2, 2])[0]
        match action:
            case "compact":
                self._compact()
            case "rollback":
                response = self.soak.call(http, "POST", "/admin/index/rollback")
                self.expect(response, 200, 409)
            case _:
                self._rebuild(http, is_killed=action != "rebuild")
        self.soak.stop.wait(self.rng.uniform(0.2, 2))

    def _compact(self) -> None:
        command = [sys.executable, "-m", "index", "compact", "--store", str(self.soak.store.root), "--device", "cpu"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            self.soak.count("compactions")
        elif "another process is writing" not in done.stderr:
            self.soak.fail(f"compact: {done.stderr}")

    def _rebuild(self, http: httpx2.Client, *, is_killed: bool) -> None:
        response = self.soak.call(http, "POST", "/admin/index/rebuild")
        if not self.expect(response, 202) or response is None:
            return
        job, started = response.headers["Location"], time.monotonic()
        die_at = started + self.rng.uniform(0, 2) if is_killed else float("inf")
        n_killed = 0
        while (state := self.soak.call(http, "GET", job)) is not None:
            if state.status_code == 404 and self.soak.service.killed_at > started:
                return
            if not self.expect(state, 200):
                return
            if state.json()["state"] in ("succeeded", "failed", "cancelled"):
                break
            if time.monotonic() > die_at:
                for pid in self.soak.service.builds():
                    os.kill(pid, signal.SIGKILL)
                    n_killed += 1
                die_at = float("inf")
            time.sleep(0.05)
        else:
            return
        self.soak.count(f"rebuilds {state.json()['state']}" + (" by a kill" if n_killed else ""))
        error = state.json()["error"] or ""
        # A build goes on for a while after the service that started it was killed.
        if state.json()["state"] != "succeeded" and not n_killed and "another process is writing" not in error:
            self.soak.fail(f"rebuild: {state.json()}")
