"""
Python's gRPC (the C core) as a client and a server that pass bytes on: messages of bytes up, one answer down.
  {"prepare": {"role": "server", "address": A, "certificate": FILE or null, "key": FILE or null}}   answers {"address": A}
  {"prepare": {"role": "client", "address": A, "certificate": FILE or null, "stepBytes": N}}        answers {}
  {"steps": N}   the client sends N times stepBytes bytes; answers {"seconds": [all of them]}
"""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from worker import serve

METHOD = "/wire.Wire/Send"
MESSAGE_BYTES = 256 * 1024


class Server:
    def __init__(self, request):
        def send(messages, context):
            return str(sum(len(message) for message in messages)).encode()

        handler = grpc.method_handlers_generic_handler("wire.Wire", {"Send": grpc.stream_unary_rpc_method_handler(send)})
        self.server = grpc.server(ThreadPoolExecutor(2), handlers=[handler])
        address = request["address"]
        if request["certificate"] is None:
            port = self.server.add_insecure_port(address)
        else:
            pair = (Path(request["key"]).read_bytes(), Path(request["certificate"]).read_bytes())
            port = self.server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
        self.server.start()
        self.address = address if address.startswith("unix:") else f"127.0.0.1:{port}"


class Client:
    def __init__(self, request):
        if request["certificate"] is None:
            channel = grpc.insecure_channel(request["address"])
        else:
            credentials = grpc.ssl_channel_credentials(Path(request["certificate"]).read_bytes())
            channel = grpc.secure_channel(request["address"], credentials)
        grpc.channel_ready_future(channel).result(30)
        self.call = channel.stream_unary(METHOD)
        self.bytes = request["stepBytes"]

    def steps(self, count):
        whole = bytes(MESSAGE_BYTES)
        rest = bytes(self.bytes % MESSAGE_BYTES)

        def messages():
            for _ in range(count):
                for _ in range(self.bytes // MESSAGE_BYTES):
                    yield whole
                if rest:
                    yield rest

        start = time.perf_counter()
        received = int(self.call(messages()))
        seconds = time.perf_counter() - start
        if received != count * self.bytes:
            raise RuntimeError(f"{received} bytes arrived of {count * self.bytes}")
        return {"seconds": [seconds]}


def prepare(request):
    if request["role"] == "client":
        return Client(request), {}
    server = Server(request)
    return server, {"address": server.address}


serve(prepare)
