"""The loader's end of the feed (user/kube/feed.h) for tests of the controller alone: listens on the unix socket, sends
Demand and Report, keeps the picture that the controller's Changes paint, and remembers when what came."""
import contextlib
import copy
import json
import os
import socket
import struct
import threading
import time

from case import Wrong
from lab import wait_for

MAX_FRAME, MAX_OBJECTS = 16 << 20, 1000
SCHEMA = {"reset": bool, "synced": bool, "objects": list, "deleted": list}


def key_of(obj):
    metadata = obj["metadata"]
    return obj["kind"], metadata.get("namespace", ""), metadata["name"]


class FeedPeer:
    def __init__(self, path):
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(4)
        self.lock = threading.Condition()
        self.link = None
        self.demand_now, self.report_now = None, None
        self.picture, self.told = {}, None
        self.synced, self.health = False, None
        self.connections = self.frames = self.resets = self.bytes = 0
        self.most_objects = self.most_bytes = 0
        self.faults = []
        self.seen = None  # function(object, monotonic seconds)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()

    # --- what the loader says ------------------------------------------------------------------------------------

    def demand(self, namespaces=(), pod_namespaces=(), everything=False):
        self.demand_now = {"everything": everything, "namespaces": sorted(namespaces),
                           "pod_namespaces": sorted(pod_namespaces)}
        self._send({"demand": self.demand_now})

    def report(self, rules):
        self.report_now = {"rules": rules}
        self._send({"report": self.report_now})

    def _send(self, message):
        with self.lock:
            link = self.link
        if link:
            body = json.dumps(message).encode()
            self.send_raw(struct.pack("!I", len(body)) + body, link)

    def send_raw(self, data, link=None):
        with contextlib.suppress(OSError):
            (link or self.link).sendall(data)

    def drop(self):
        """Ends the connection; the controller must come again."""
        with self.lock:
            link, self.link = self.link, None
        if link:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

    # --- what the controller says --------------------------------------------------------------------------------

    def _accept(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.link = link
                self.connections += 1
                self.told, self.synced = None, False
                self.lock.notify_all()
            if self.demand_now is not None:
                self._send({"demand": self.demand_now})
            if self.report_now is not None:
                self._send({"report": self.report_now})
            threading.Thread(target=self._read, args=(link,), daemon=True).start()

    def _read(self, link):
        stream = link.makefile("rb", buffering=1 << 16)
        first = True
        with contextlib.suppress(OSError, ValueError):
            while len(head := stream.read(4)) == 4:
                length = struct.unpack("!I", head)[0]
                if length > MAX_FRAME:
                    self.faults.append(f"a frame of {length} bytes")
                    break
                body = stream.read(length)
                if len(body) < length:
                    break
                self._take(body, first)
                first = False

    def _take(self, body, first):
        now = time.monotonic()
        try:
            changes = json.loads(body)["changes"]
            wrong = [name for name, kind in SCHEMA.items() if not isinstance(changes[name], kind)]
        except (ValueError, KeyError, TypeError) as error:
            self.faults.append(f"{error!r} in {body[:300]!r}")
            return
        if wrong:
            self.faults.append(f"fields {wrong} of the wrong type")
            return
        if first and not changes["reset"]:
            self.faults.append("the first frame of a connection without reset")
        if len(changes["objects"]) > MAX_OBJECTS:
            self.faults.append(f"{len(changes['objects'])} objects in a frame")
        with self.lock:
            self._apply(changes, now)
            self.frames += 1
            self.bytes += len(body)
            self.most_objects = max(self.most_objects, len(changes["objects"]))
            self.most_bytes = max(self.most_bytes, len(body))
            self.lock.notify_all()

    def _apply(self, changes, now):
        if changes["reset"]:
            self.told = set()
            self.resets += 1
            self.synced = False
        for obj in changes["objects"]:
            self.picture[key_of(obj)] = obj
            if self.told is not None:
                self.told.add(key_of(obj))
            if self.seen:
                self.seen(obj, now)
        for name in changes["deleted"]:
            self.picture.pop((name["kind"], name["namespace"], name["name"]), None)
        if changes["synced"] and not self.synced:
            self.synced = True
            if self.told is not None:
                self.picture = {k: v for k, v in self.picture.items() if k in self.told}
                self.told = None
        elif not changes["synced"] and self.synced:
            self.faults.append("synced went back to false")
        if changes.get("health") is not None:
            self.health = changes["health"]

    # --- questions -----------------------------------------------------------------------------------------------

    def snapshot(self, *kinds):
        with self.lock:
            return {k: copy.deepcopy(v) for k, v in self.picture.items() if not kinds or k[0] in kinds}

    def get(self, kind, ns, name):
        with self.lock:
            return copy.deepcopy(self.picture.get((kind, ns, name)))

    def wait_synced(self, timeout=20):
        wait_for(lambda: self.synced, timeout, "a synced picture on the feed")

    def wait_connection(self, count, timeout=20):
        wait_for(lambda: self.connections >= count, timeout, f"connection number {count} on the feed")

    def health_text(self):
        return json.dumps(self.health)

    def check_faults(self):
        if self.faults:
            raise Wrong("the controller broke the feed's contract: " + "; ".join(self.faults[:5]))
