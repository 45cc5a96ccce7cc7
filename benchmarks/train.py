"""Fine-tuning: limakit's loop against a plain padded Hugging Face loop, and TRL's SFTTrainer where it is installed.

    python benchmarks/train.py --model 27m --examples 128 --threads 2 --precision bf16

Same random model, same examples of LIMA-like lengths (log-normal, mean about 520 tokens, three quarters response), same
batches of 32 and one epoch each, no dropout, in turn in processes of their own. Prints useful tokens a second (padding
does not count), the same a second of processor time (which other work on the machine disturbs less), peak memory, the
largest difference of a step's loss from limakit's, and the share of the matrix product peak measured in the same
process. Claims: docs/benchmarks.md. TRL runs at its defaults and at batch 1 without checkpointing of activations;
`compiled` is limakit with train.compile, its compiling before the clock starts and told in the last column; `dropout`
is with the paper's residual dropout, where losses cannot be compared. The line below is the limit: the matrix product
that shares are of, and what 1,000 examples of 750 tokens over 15 epochs would take at the first way's rate.

On a GPU, what it takes at 7B and 65B (`--device cuda`; memory is then what torch's allocator held at its peak):

    python benchmarks/train.py --device cuda --model 7b --examples 128 --tokens 16384 --recompute
    python benchmarks/train.py --device cuda --model 7b --optimizer adamw-8bit --early --recompute --ways limakit
    python benchmarks/train.py --device cuda --model 65b --method qlora --recompute --examples 64 --ways limakit
"""

import argparse
import importlib.util
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

SHAPES: dict[str, dict[str, Any]] = {
    "3m": {"hidden_size": 192, "intermediate_size": 480, "num_hidden_layers": 5, "num_attention_heads": 3},
    "27m": {"hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 6},
    "110m": {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 12},
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
    "65b": {"hidden_size": 8192, "intermediate_size": 22016, "num_hidden_layers": 80, "num_attention_heads": 64},
}
VOCAB = {"3m": 4096, "27m": 16384, "110m": 32000, "7b": 32000, "65b": 32000}
TIED = ("3m", "27m", "110m")
PAPER_TOKENS = 15 * 750_000
EOT = 2
BATCH, RATE, SEED = 32, 1e-5, 0


def main() -> None:
    """Run every way that can be run, each in its own process, and print one line for each."""
    options = parse()
    if options.way:
        print(json.dumps(WAYS[options.way](options)))
        return
    wanted = (
        options.ways.split(",") if options.ways else [way for way in WAYS if options.method == "full" or way == OURS]
    )
    ways = [way for way in wanted if not way.startswith("trl") or importlib.util.find_spec("trl")]
    results: dict[str, dict[str, Any]] = {}
    print(f"{' '.join(sys.argv[1:])}: {options.examples} examples, {options.threads} threads, {options.precision}")
    print(
        f"{'way':16} {'tokens/s':>9} {'against':>8} {'tokens/CPU-s':>13} {'against':>8} {'memory':>9} "
        f"{'loss off by':>12} {'of peak':>8} {'before':>7}"
    )
    for way in ways:
        environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "OMP_WAIT_POLICY": "PASSIVE"}
        done = subprocess.run(
            [sys.executable, *sys.argv, "--way", way], capture_output=True, text=True, env=environment, check=False
        )
        if done.returncode:  # one that does not fit is a result too
            print(f"{way:16} failed: {(done.stderr.strip().splitlines() or ['no word'])[-1][:150]}", flush=True)
            continue
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        results[way] = found
        ours: dict[str, Any] = results.get(OURS) or found
        off = max(abs(a - b) for a, b in zip(found["losses"], ours["losses"], strict=True))
        off = float("nan") if "dropout" in way else off
        ratio = ours["rate"] / found["rate"]
        print(
            f"{way:16} {found['rate']:9,.0f} {ratio:7.2f}x {found['cpu_rate']:13,.0f} "
            f"{ours['cpu_rate'] / found['cpu_rate']:7.2f}x {found['memory'] / 2**30:6.2f} GB {off:12.1e} "
            f"{found['share']:8.1%} {found['before']:5.0f} s",
            flush=True,
        )
    if not results:
        sys.exit("nothing ran")
    way, first = next(iter(results.items()))
    print(
        f"limit: {first['peak'] / 1e9:,.0f} GFLOP/s of a large matrix product; 1,000 examples of 750 tokens, 15 "
        f"epochs, at the rate of {way}: {PAPER_TOKENS / first['rate'] / 3600:,.1f} h; a step of {BATCH} examples: "
        f"{first['step']:.2f} s"
    )


def parse() -> argparse.Namespace:
    """The options of this benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(SHAPES), default="27m")
    parser.add_argument("--examples", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--tokens", type=int, default=4096, help="of a micro-batch of limakit's")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--method", choices=["full", "lora", "qlora"], default="full", help="for limakit")
    parser.add_argument("--optimizer", choices=["adamw", "adamw-8bit"], default="adamw", help="for limakit")
    parser.add_argument("--early", action="store_true", help="limakit updates in the backward pass, a batch at once")
    parser.add_argument("--recompute", action="store_true", help="limakit recomputes activations")
    parser.add_argument("--ways", help=f"which to run, with commas: {', '.join(WAYS)}")
    parser.add_argument("--way", choices=list(WAYS), help="run only this one and print JSON")
    return parser.parse_args()


def material(options: argparse.Namespace) -> tuple[Any, list[Any]]:
    """The model, in fp32, and the documents; the same in every process."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from limakit.train.batches import Document

    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)
    vocab = VOCAB[options.model]
    config = LlamaConfig(
        **SHAPES[options.model],
        vocab_size=vocab,
        max_position_embeddings=2048,
        tie_word_embeddings=options.model in TIED,
    )
    with torch.device("meta" if options.method == "qlora" else options.device):
        model: Any = LlamaForCausalLM(config)
    if options.method == "qlora":
        quantize(model, torch.device(options.device))
    chance, documents = random.Random(SEED), []
    for index in range(options.examples):
        length = min(2048, max(32, round(chance.lognormvariate(6.0, 0.7))))
        ids = [chance.randrange(3, vocab) for _ in range(length)]
        documents.append(Document(str(index), "b", ids, [place >= length // 4 for place in range(length)], 0))
    return model, documents


def quantize(model: Any, device: Any) -> None:
    """Random weights for a model on the meta device, a layer at a time: matrices in 4 bits, the rest in fp32. The whole
    in fp32 would fit nowhere at 65B."""
    import bitsandbytes as bnb  # type: ignore[import-not-found]
    import torch
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    for layer in model.model.layers:
        for block in (layer.self_attn, layer.mlp):
            for name, old in list(block.named_children()):
                if isinstance(old, torch.nn.Linear):
                    weight = (torch.randn(old.weight.shape, device=device) * 0.02).to(torch.bfloat16)
                    new = bnb.nn.Linear4bit(
                        old.in_features, old.out_features, False, torch.bfloat16, quant_type="nf4", device="meta"
                    )
                    packed = bnb.nn.Params4bit(weight.cpu(), requires_grad=False, quant_type="nf4", module=new)
                    new.weight = packed.to(device)
                    setattr(block, name, new)
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.is_meta:
                made = torch.randn if parameter.ndim > 1 else torch.ones
                value = made(parameter.shape, device=device) * (0.02 if parameter.ndim > 1 else 1.0)
                setattr(module, name, torch.nn.Parameter(value))
    model.model.rotary_emb = LlamaRotaryEmbedding(model.config).to(device)
    model.tie_weights()
    model.is_loaded_in_4bit = True


def limakit(options: argparse.Namespace, compiled: bool = False, top: float = 0.0) -> dict[str, Any]:
    """Our loop's parts, without the checkpoints."""
    import torch

    from limakit.recipe import Train
    from limakit.train import adapters, attention, dropout, loss, speed
    from limakit.train.batches import microbatches
    from limakit.train.optimizer import make_optimizer
    from limakit.train.step import precision

    model, documents = material(options)
    model.set_attn_implementation(attention.NAME)
    settings = Train(
        precision=options.precision,
        learning_rate=RATE,
        weight_decay=0.1,
        compile=compiled,
        method=options.method,
        optimizer=options.optimizer,
        update_in_backward=options.early,
        gradient_checkpointing=options.recompute,
    )
    if top:
        dropout.install(model, top)
    if options.method != "full":
        adapters.add(model, settings, EOT, SEED)
    speed.keep_memory()
    speed.install(model, settings)
    device = torch.device(options.device)
    optimizer = make_optimizer(model, settings)
    limit = 10**9 if options.early else options.tokens

    def step(batch: list[Any]) -> float:
        total, targets = torch.zeros((), device=device), sum(document.targets for document in batch)
        for piece in microbatches(batch, limit):
            with precision(settings, device):
                total += loss.backward(model, piece.to(device), targets)
        optimizer.step()
        optimizer.zero_grad()
        return total.item()

    start = time.perf_counter()
    if compiled:
        model.train()
        for piece in (*microbatches(documents[:2], 1), *microbatches(documents[:2], options.tokens)):
            with precision(settings, device):
                loss.backward(model, piece.to(device), 1)
        optimizer.zero_grad()
    before = time.perf_counter() - start if compiled else 0.0
    return {**measure(options, model, documents, step), "before": before}


def padded(options: argparse.Namespace) -> dict[str, Any]:
    """What most people write: batches of 8, padded, logits of every position, gradients accumulated to 32."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    model, documents = material(options)
    device = next(model.parameters()).device
    groups = [
        {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95))

    def step(batch: list[Any]) -> float:
        total, targets = 0.0, sum(document.targets for document in batch)
        for start in range(0, len(batch), 8):
            part = batch[start : start + 8]
            ids = pad_sequence([torch.tensor(d.ids) for d in part], batch_first=True).to(device)
            labels = pad_sequence([torch.tensor(d.ids).where(torch.tensor(d.mask), -100) for d in part], True, -100).to(
                device
            )
            mask = pad_sequence([torch.ones(len(d.ids), dtype=torch.long) for d in part], batch_first=True).to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bf16"):
                out = model(input_ids=ids, attention_mask=mask, labels=labels, num_items_in_batch=targets)
            out.loss.backward()
            total += out.loss.item()
        optimizer.step()
        optimizer.zero_grad()
        return total

    return measure(options, model, documents, step)


def trl(options: argparse.Namespace, best: bool = False) -> dict[str, Any]:
    """TRL's SFTTrainer on the same token ids and masks, one epoch, at its defaults or at its best on a CPU."""
    import datasets  # type: ignore[import-not-found]
    import torch
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast
    from trl import SFTConfig, SFTTrainer  # type: ignore[import-not-found]

    model, documents = material(options)
    rows = [{"input_ids": d.ids, "completion_mask": [int(m) for m in d.mask]} for d in documents]
    raw = Tokenizer(models.WordLevel({str(i): i for i in range(VOCAB[options.model])}, unk_token="0"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="0", eos_token="1", unk_token="0")
    size = 1 if best else 8
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=BATCH // size,
            num_train_epochs=1,
            learning_rate=RATE,
            lr_scheduler_type="constant",
            adam_beta2=0.95,
            weight_decay=0.1,
            max_grad_norm=1e9,
            max_length=2048,
            bf16=options.precision == "bf16",
            use_cpu=options.device == "cpu",
            logging_steps=1,
            logging_first_step=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            shuffle_dataset=False,
        )
        if best:
            config.gradient_checkpointing = False
        trainer = SFTTrainer(
            model=model, args=config, train_dataset=datasets.Dataset.from_list(rows), processing_class=tokenizer
        )
        trainer._get_train_sampler = lambda *_: torch.utils.data.SequentialSampler(range(len(rows)))  # pyright: ignore[reportAttributeAccessIssue]
        start, cpu = time.perf_counter(), time.process_time()
        trainer.train()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return result(options, model, documents, losses, seconds, cpu)


def measure(options: argparse.Namespace, model: Any, documents: list[Any], step: Any) -> dict[str, Any]:
    """Time one epoch of `step`; the first step counts too, as it does in TRL."""
    model.train()
    batches = [documents[start : start + BATCH] for start in range(0, len(documents), BATCH)]
    start, cpu = time.perf_counter(), time.process_time()
    losses = [step(batch) for batch in batches]
    return result(options, model, documents, losses, time.perf_counter() - start, time.process_time() - cpu)


def result(
    options: argparse.Namespace, model: Any, documents: list[Any], losses: list[float], s: float, cpu: float
) -> dict[str, Any]:
    """The figures. Useful work is 6 operations (4 with adapters) a token and weight of the layers' matrices, and of the
    head on response tokens; what is recomputed is not useful."""
    import torch

    memory = torch.cuda.max_memory_allocated() if options.device == "cuda" else None
    memory = memory or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    tokens, targets = sum(len(d.ids) for d in documents), sum(d.targets for d in documents)
    head = model.get_output_embeddings().weight.numel()
    shape = SHAPES[options.model]
    matrices = 4 * shape["hidden_size"] ** 2 + 3 * shape["hidden_size"] * shape["intermediate_size"]
    passes = 6 if options.method == "full" else 4  # a frozen weight has no gradient
    work = passes * (shape["num_hidden_layers"] * matrices * tokens + head * targets)
    limit = peak(options)
    return {
        "rate": tokens / s,
        "step": s / len(losses),
        "cpu_rate": tokens / cpu,
        "memory": memory,
        "losses": losses,
        "share": work / s / limit,
        "peak": limit,
        "before": 0.0,
    }


def peak(options: argparse.Namespace) -> float:
    """Operations a second of the best of ten large matrix products in the precision asked for."""
    import torch

    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32
    device, size = options.device, 8192 if options.device == "cuda" else 2048
    a = torch.randn(size, size, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(10):
        start = time.perf_counter()
        (a @ a).sum().item()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


OURS = "limakit"
WAYS: dict[str, Any] = {
    OURS: limakit,
    "compiled": lambda options: limakit(options, compiled=True),
    "dropout": lambda options: limakit(options, top=0.3),
    "compiled dropout": lambda options: limakit(options, compiled=True, top=0.3),
    "padded loop": padded,
    "trl default": trl,
    "trl best": lambda options: trl(options, best=True),
}

if __name__ == "__main__":
    main()
