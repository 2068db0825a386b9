"""May an engine of ours load this file here? Checked beforehand, since the engine itself gives no reason.

It joins header, machine and fit; the engine takes it as a function, so that it need not know this package.
Invariant: what it returns names a readable file, for a language model with a context and a thread count; everything
else is a ConfigError.
"""

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.core.model import EngineOptions
from tierwise.hardware.detect import machine, read_gguf, read_linear
from tierwise.hardware.fit import Need, estimate, judge, largest_context, threads_for
from tierwise.hardware.gguf import Header, Unreadable
from tierwise.hardware.snapshot import Machine
from tierwise.linear import header as linear

DEFAULT_CONTEXT_TOKENS = 32_768
UNTRAINED_TOKENS = 4096


def admit(options: EngineOptions, here: Machine | None = None) -> EngineOptions:
    """Return the options with context and threads filled in. Reads the header of the file, nothing more.

    A context that is not given is the model's own, at most 32,768 tokens, halved until it fits; one that is given is
    kept or refused.

    Raises:
        ConfigError: the file is missing, unreadable, of another format, cut off, one part of several, or too large for
            memory.
    """
    if options.format == "linear":
        return _linear(options, here or machine())
    header = _header(options.file)
    here = here or machine()
    if options.slots < 1:
        raise ConfigError(f"slots must be at least 1, not {options.slots}", key="slots")
    context = _context(options, header, here)
    verdict = judge(estimate(header, context, options.slots), here.memory_available_bytes)
    if verdict.fit == "does_not_fit":
        raise _too_large(options, verdict.reason)
    threads = options.threads or threads_for(header, here.cores)
    return msgspec.structs.replace(options, context_tokens=context, threads=threads)


def _header(file: str) -> Header:
    try:
        header = read_gguf(file)
    except Unreadable as error:
        raise ConfigError(f"{file} cannot be loaded: {error}. Name a complete GGUF file.", file=file) from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}. Check path and permissions.", file=file) from error
    if header.parts > 1:
        text = f"{file} is one of {header.parts} parts. Merge them first: llama-gguf-split --merge FIRST_PART OUTPUT"
        raise ConfigError(text, file=file)
    if not header.tensors:
        raise ConfigError(f"{file} holds no tensors, only a vocabulary. Name a GGUF file of a model.", file=file)
    return header


def _linear(options: EngineOptions, here: Machine) -> EngineOptions:
    """Admit a linear model, which has no context: it reads a message of any length up to a fixed one."""
    if options.context_tokens is not None:
        raise ConfigError(f"{options.file} is a linear model, which has no context_tokens", key="context_tokens")
    try:
        layout = read_linear(options.file)
    except linear.Unreadable as error:
        told = f"{options.file} cannot be loaded: {error}. Name a file that `tierwise train` wrote."
        raise ConfigError(told, file=options.file) from error
    except OSError as error:
        told = f"{options.file} cannot be read: {error.strerror}. Check path and permissions."
        raise ConfigError(told, file=options.file) from error
    weights = layout.places["weights"].data_offsets[1]
    verdict = judge(Need(weights_bytes=weights, cache_bytes=0, compute_bytes=0), here.memory_available_bytes)
    if verdict.fit == "does_not_fit":
        raise _too_large(options, verdict.reason)
    return msgspec.structs.replace(options, threads=1)


def _context(options: EngineOptions, header: Header, here: Machine) -> int:
    trained = header.context_tokens
    asked = options.context_tokens
    if asked is not None:
        if asked < 1 or (trained is not None and asked > trained):
            bound = f"between 1 and {trained}, the context that the model was trained for"
            text = f"context_tokens = {asked} does not suit {options.file}: it must be {bound}"
            raise ConfigError(text, file=options.file, key="context_tokens")
        return asked
    wanted = min(trained or UNTRAINED_TOKENS, DEFAULT_CONTEXT_TOKENS)
    found = largest_context(header, options.slots, here.memory_available_bytes, wanted)
    if found is None:
        reason = judge(estimate(header, min(wanted, 512), options.slots), here.memory_available_bytes).reason
        raise _too_large(options, reason)
    return found


def _too_large(options: EngineOptions, reason: str) -> ConfigError:
    mend = "Free memory, lower context_tokens or slots, or choose a smaller model."
    return ConfigError(f"{options.file} does not fit into memory: it {reason}. {mend}", file=options.file)
