"""The whole job from another language, by the .proto files alone: no code of this project runs on this side.

Usage: whole_job.py ADDRESS PROTO_FOLDER GOOGLEAPIS_FOLDER

Generates the stubs with grpcio-tools into a temporary folder, then reads a network, sets its parameters, trains it, applies it, stores it,
streams it back, and looks at the details of a refusal. Prints one JSON object with what it saw; exits with 1 where something is not as
the contract says.
"""

import importlib.resources
import json
import random
import sys
import tempfile
import zlib
from pathlib import Path

import grpc
from grpc_tools import protoc

WIDTH = HEIGHT = 16
CLASSES = ["dark", "light"]
BATCH = 8
STEPS = 30
CHUNK = 1000


def generate_stubs(roots: list[Path], folder: str) -> None:
    includes = [*roots, importlib.resources.files("grpc_tools") / "_proto"]
    files = sorted(str(path.relative_to(root)) for root in roots for path in root.rglob("*.proto"))
    arguments = ["protoc", *(f"-I{path}" for path in includes), f"--python_out={folder}", f"--grpc_python_out={folder}", *files]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed")
    sys.path.insert(0, folder)


def make_batch(generator: random.Random) -> tuple[bytes, list[int]]:
    """BATCH images, half of them dark, half light, with noise; pixels (image, height, width, channel)."""
    labels = [index % 2 for index in range(BATCH)]
    pixels = bytearray()
    for label in labels:
        low, high = (0, 120) if label == 0 else (135, 255)
        pixels += bytes(generator.randint(low, high) for _ in range(HEIGHT * WIDTH * 3))
    return bytes(pixels), labels


def main() -> None:
    address, *roots = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        generate_stubs([Path(root) for root in roots], folder)
        with grpc.insecure_channel(address) as channel:
            print(json.dumps(run(channel)))


def run(channel: grpc.Channel) -> dict:
    from dlclassifier.v1 import classifier_pb2, classifier_service_pb2_grpc, image_pb2, param_pb2, server_info_pb2

    service = classifier_service_pb2_grpc.ClassifierServiceStub(channel)
    generator = random.Random(1)

    def named(name: str, *values) -> param_pb2.NamedValues:
        fields = {bool: "bool_value", int: "int_value", float: "real_value", str: "string_value"}
        return param_pb2.NamedValues(name=name, values=[param_pb2.ParamValue(**{fields[type(v)]: v}) for v in values])

    def plain(items) -> dict[str, list]:
        return {item.name: [getattr(v, v.WhichOneof("value")) for v in item.values] for item in items}

    def image_batch(count: int) -> image_pb2.ImageBatch:
        return image_pb2.ImageBatch(
            format=image_pb2.PIXEL_FORMAT_UINT8, image_count=count, width=WIDTH, height=HEIGHT, channels=3
        )

    def messages(message_type, header, pixels: bytes):
        """Header, chunks, commit: each in a message of its own."""
        yield message_type(header=header)
        for start in range(0, len(pixels), CHUNK):
            yield message_type(pixels=pixels[start : start + CHUNK])
        yield message_type(commit=image_pb2.UploadCommit(crc32=zlib.crc32(pixels)))

    info = service.GetServerInfo(server_info_pb2.GetServerInfoRequest())
    classifier = service.ReadClassifier(classifier_pb2.ReadClassifierRequest(file_name="compact", seed=7)).classifier
    service.SetParam(
        classifier_pb2.SetParamRequest(
            classifier=classifier,
            params=[
                named("image_dimensions", WIDTH, HEIGHT, 3),
                named("classes", *CLASSES),
                named("batch_size", BATCH),
                named("learning_rate", 0.01),
            ],
        )
    )
    params = plain(service.GetParam(classifier_pb2.GetParamRequest(classifier=classifier)).params)

    losses = []
    for _ in range(STEPS):
        pixels, labels = make_batch(generator)
        header = classifier_pb2.TrainBatchHeader(
            classifier=classifier,
            images=image_batch(BATCH),
            labels=[image_pb2.Label(index=l) if i < 4 else image_pb2.Label(name=CLASSES[l]) for i, l in enumerate(labels)],
            expected_step=len(losses),
        )
        step = service.TrainBatch(messages(classifier_pb2.TrainBatchRequest, header, pixels))
        losses.append(step.loss)
        results = service.GetTrainResult(
            classifier_pb2.GetTrainResultRequest(train_result=step.train_result, names=["loss", "step", "top1_error"])
        ).results
        service.ClearTrainResult(classifier_pb2.ClearTrainResultRequest(train_results=[step.train_result]))

    pixels, labels = make_batch(generator)
    # One message may carry it all.
    applied = service.ApplyClassifier(
        iter(
            [
                classifier_pb2.ApplyClassifierRequest(
                    header=classifier_pb2.ApplyClassifierHeader(classifier=classifier, images=image_batch(BATCH)),
                    pixels=pixels,
                    commit=image_pb2.UploadCommit(crc32=zlib.crc32(pixels)),
                )
            ]
        )
    )
    best = plain(service.GetResult(classifier_pb2.GetResultRequest(result=applied.result, all=True)).results)
    first = plain(service.GetResult(classifier_pb2.GetResultRequest(result=applied.result, image=0)).results)
    service.ClearResult(classifier_pb2.ClearResultRequest(results=[applied.result]))

    written = service.WriteClassifier(classifier_pb2.WriteClassifierRequest(classifier=classifier, file_name="from_python"))
    stored = service.ListClassifiers(classifier_pb2.ListClassifiersRequest()).stored
    parts = list(service.SerializeClassifier(classifier_pb2.SerializeClassifierRequest(classifier=classifier)))
    serialized = b"".join(part.data for part in parts)
    copy = service.DeserializeClassifier(
        iter(
            [
                classifier_pb2.DeserializeClassifierRequest(
                    header=classifier_pb2.DeserializeClassifierHeader(total_bytes=len(serialized))
                ),
                *(classifier_pb2.DeserializeClassifierRequest(data=part.data) for part in parts),
                classifier_pb2.DeserializeClassifierRequest(commit=image_pb2.UploadCommit(crc32=zlib.crc32(serialized))),
            ]
        )
    ).classifier
    copied = plain(service.GetParam(classifier_pb2.GetParamRequest(classifier=copy, names=["classes", "step"])).params)
    service.ClearClassifier(classifier_pb2.ClearClassifierRequest(classifiers=[classifier, copy]))

    return {
        "version": info.version,
        "params": {name: params[name] for name in ["classes", "batch_size", "image_dimensions"] if name in params},
        "losses": losses,
        "last_step": step.step,
        "train_result": plain(results),
        "truth": [CLASSES[label] for label in labels],
        "best": best,
        "first": first,
        "written": {"file_name": written.file_name, "size_bytes": written.size_bytes},
        "stored": [item.file_name for item in stored],
        "serialized": {
            "bytes": len(serialized),
            "total_bytes": parts[0].total_bytes,
            "checksum_agrees": parts[-1].commit.crc32 == zlib.crc32(serialized),
        },
        "copied": copied,
        "refusal": refusal_of(lambda: service.GetParam(classifier_pb2.GetParamRequest(classifier=classifier))),
    }


def refusal_of(call) -> dict:
    """Status and google.rpc.ErrorInfo of a call that is refused, with the types that Google publishes."""
    from google.rpc import error_details_pb2, status_pb2

    try:
        call()
    except grpc.RpcError as error:
        trailers = dict(error.trailing_metadata())
        status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
        info = error_details_pb2.ErrorInfo()
        if not status.details[0].Unpack(info):
            raise SystemExit("the details are no ErrorInfo") from error
        return {
            "code": error.code().name,
            "message_is_the_same": error.details() == status.message,
            "reason": info.reason,
            "domain": info.domain,
            "metadata": dict(info.metadata),
        }
    raise SystemExit("the call was not refused")


if __name__ == "__main__":
    main()
