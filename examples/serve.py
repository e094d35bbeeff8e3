#!/usr/bin/env python3
"""A store for many TCP peers, `SET key value` and `GET key`: serve.py [ARGUMENTS OF switchboard]

switchboard has the sockets, this has the words: one JSON object a line, both ways (docs/scripting.md)."""
import collections, json, queue, signal, subprocess, sys, threading

server = subprocess.Popen(["switchboard", "--format", "json", *sys.argv[1:]], stdin=-1, stdout=-1)
signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server: when it has ended, so do we.
commands, store, asked = queue.SimpleQueue(), {}, {}

def write():  # In a thread: who waits until its commands are taken does not read, and is waited for itself.
    while True:
        server.stdin.write(json.dumps(commands.get()).encode() + b"\n")
        commands.empty() and server.stdin.flush()

def answer(id):  # One at a time for each peer: the next when this one was taken.
    word, key, value = (asked[id][0].split(" ", 2) + ["", ""])[:3]
    store.update({key: value} if word == "SET" else {})
    text = {"SET": "OK " + key, "GET": store.get(key, "NONE")}.get(word, "ERROR what is " + word)
    commands.put({"cmd": "send", "to": id, "text": text, "ref": id})

threading.Thread(target=write, daemon=True).start()
for it in map(json.loads, server.stdout):
    id = it.get("ref", it.get("id"))
    if it["ev"] == "open":
        asked[id] = collections.deque()
    elif it["ev"] == "close":
        asked.pop(id, None)
    elif it["ev"] == "msg" and id in asked:
        asked[id].append(it.get("text", ""))  # What is no text has b64.
        len(asked[id]) == 1 and answer(id)
        len(asked[id]) == 10_000 and commands.put({"cmd": "close", "to": id, "text": "too much", "ref": "close"})
    elif it["ev"] == "drained" or it["ev"] in ("ok", "error") and "behind" not in it:  # If behind, drained will come.
        if it["ev"] == "error":
            print(it["msg"], file=sys.stderr)
        if id in asked:
            asked[id].popleft()
            asked[id] and answer(id)
sys.exit(server.wait())
