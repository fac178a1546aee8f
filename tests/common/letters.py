# What crosses the socket of pcm, for processes of other accounts: frames of at most 65,000 bytes, each with whether more
# follow and its length.
import json, socket, struct, sys

def letter(call):
    body = json.dumps({"pcm": "raw", "call": call}).encode()
    parts = [body[at:at + 65000] for at in range(0, len(body), 65000)]
    return b"".join(struct.pack(">BI", n + 1 < len(parts), len(part)) + part for n, part in enumerate(parts))

def connect(path, seconds):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(seconds)
    s.connect(path)
    return s

def answer(s):
    more, body = 1, b""
    while more:
        head = b""
        while len(head) < 5:
            got = s.recv(5 - len(head))
            if not got: return body
            head += got
        more, length = struct.unpack(">BI", head)
        while length:
            got = s.recv(min(length, 65536))
            if not got: return body
            body += got
            length -= len(got)
    return body
