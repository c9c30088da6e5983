"""A tiny published BERT, and a model hub on this machine that hands it out."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from huggingface_hub.utils import close_session
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel

REVISION = "a" * 40
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s", "sat", "。", "天"]


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory) -> Path:
    """A folder as publishers lay it out: config, weights in safetensors, tokenizer."""
    folder = tmp_path_factory.mktemp("tiny-bert")
    with torch.random.fork_rng():
        config = BertConfig(
            vocab_size=len(WORDS),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=32,
        )
        model = BertModel(config)
    model.save_pretrained(folder)
    tokenizer = Tokenizer(
        models.WordPiece({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    tokenizer.add_special_tokens(WORDS[:5])
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.enable_truncation(4)  # as MiniLM's file does, which must not cut a learner's text
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]", length=4)
    tokenizer.save(str(folder / "tokenizer.json"))
    roles = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    settings = {**roles, "mask_token": {"content": "[MASK]", "special": True}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


class Hub:
    """What the fake hub knows: files by repository, and repositories that answer with an error."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.error_codes: dict[str, str] = {}
        self.asked: list[str] = []

    def add(self, model_id: str, folder: Path, **changed: bytes | None) -> None:
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        files |= {name.replace("__", "."): data for name, data in changed.items()}
        self.repositories[model_id] = {
            name: data for name, data in files.items() if data is not None
        }


def describe(model_id: str, files: dict[str, bytes]) -> dict:
    def sibling(name: str, data: bytes) -> dict:
        large = {"lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data),
                         "pointerSize": 130}} if name.endswith(".safetensors") else {}  # fmt: skip
        return {"rfilename": name, "size": len(data), "blobId": "b" * 40, **large}

    return {
        "id": model_id,
        "sha": REVISION,
        "siblings": [sibling(name, data) for name, data in files.items()],
        "cardData": {"license": "mit", "language": "en"},
    }


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        """Two of the hub's addresses: a model's description, and one file at a revision."""

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            hub.asked.append(self.path)
            parts = self.path.split("?")[0].strip("/").removeprefix("api/models/").split("/")
            model_id = "/".join(parts[:2])
            files = hub.repositories.get(model_id)
            if model_id in hub.error_codes or files is None:
                return self.answer(
                    401, b"{}", {"X-Error-Code": hub.error_codes.get(model_id, "RepoNotFound")}
                )
            if self.path.startswith("/api/models/"):
                return self.answer(200, json.dumps(describe(model_id, files)).encode(), {})
            data = files["/".join(parts[4:])]
            etag = f'"{hashlib.sha256(data).hexdigest()}"'
            return self.answer(200, data, {"ETag": etag, "X-Repo-Commit": REVISION})

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    return Answers


@pytest.fixture
def fake_hub(monkeypatch) -> Iterator[Hub]:
    """A hub on localhost that the real client talks to."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(hub))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    point_client_at(f"http://127.0.0.1:{server.server_port}", monkeypatch)
    yield hub
    close_session()  # connections kept alive would keep the server's threads
    server.shutdown()
    server.server_close()


@pytest.fixture
def no_hub(monkeypatch) -> None:
    """An address where nobody answers: port 9 of this machine, refused at once."""
    point_client_at("http://127.0.0.1:9", monkeypatch)


def point_client_at(endpoint: str, monkeypatch) -> None:
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
