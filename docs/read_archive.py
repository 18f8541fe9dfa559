#!/usr/bin/env python3
"""Reads every item of a Mailbrick archive without Mailbrick, as docs/format.md describes it.

usage: read_archive.py ARCHIVE [KEYFILE] [-o DIR]

KEYFILE is the ring that step 2 there gets with age; an archive without encryption needs none. With -o the exported blobs are
written into DIR. Needs Python's package "cryptography" and the program zstd."""
import argparse, base64, glob, hashlib, hmac, json, os, struct, subprocess
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

args = argparse.ArgumentParser()
args.add_argument('archive')
args.add_argument('keyfile', nargs='?')
args.add_argument('-o', dest='out')
args = args.parse_args()


def read(name):
    with open(os.path.join(args.archive, name), 'rb') as f:
        return f.read()


def payload(name):
    """Step 1: a pack or a record without the parity behind it, whose last 40 bytes say where it begins."""
    data = read(name)
    if not config['parity']:
        return data
    assert data[-40:-32] == b'MBPARITY' and hashlib.sha256(data[-40:-16]).digest()[:16] == data[-16:]
    return data[:struct.unpack('<Q', data[-24:-16])[0]]


def records():
    """Step 4: the bytes of all records, in order: each in an object of its own, or with others in a segment, which is right where
    there are both."""
    spans = sorted(tuple(map(int, name.split('-'))) for name in os.listdir(os.path.join(args.archive, 'journal')))
    last = {span[0]: span[-1] for span in spans}  # of those from one number on, the longest
    number = 1
    while number in last:
        count = last[number] - number + 1
        if count == 1:
            yield number, payload('journal/%012d' % number)
            number += 1
            continue
        data = payload('journal/%012d-%012d' % (number, last[number]))
        assert data[-8:] == struct.pack('<I', 1) + b'MBJS'
        ends = struct.unpack('<%dQ' % count, data[-8 - 8 * count:-8])
        for begin, end in zip((0,) + ends, ends):
            yield number, data[begin:end]
            number += 1


def generations():
    """Step 2: the key in all its generations, by number."""
    if args.keyfile:
        with open(args.keyfile) as f:
            ring = f.read()
    else:
        with open(glob.glob(os.path.join(args.archive, 'keys/plain.*'))[0]) as f:
            ring = base64.b64decode(dict(line.split(' ', 1) for line in f)['ring']).decode()
    head, *lines = ring.splitlines()
    assert head == 'mailbrick-ring 1'
    return {int(number): bytes.fromhex(key) for number, key in map(str.split, lines)}


def opened(purpose, generation, salt, number, sealed, place):
    """Step 3: what lies in a sealed message."""
    info = b'mailbrick/seal/aes-256-gcm/v1\0' + purpose + b'\0' + bytes([len(salt)])
    aes = AESGCM(HKDF(hashes.SHA256(), 32, salt, info).derive(keys[generation]))
    return aes.decrypt(bytes(4) + struct.pack('>Q', number), sealed, place)


def unpacked(data):
    return subprocess.run(['zstd', '-dcq'], input=data, stdout=subprocess.PIPE, check=True).stdout


class Fields:
    """Varints, runs of bytes, and runs of bytes with their length in front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def take(self, n):
        part = self.data[self.at:self.at + n]
        assert len(part) == n, 'cut short'
        self.at += n
        return part

    def bytes(self):
        return self.take(self.varint())

    def more(self):
        return self.at < len(self.data)


def entries_of(body):
    fields = Fields(body)
    while fields.more():
        yield fields.varint(), fields.bytes()


def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def summary(seed, entries):
    """Step 4: a body's digest, and the leaves of its versions."""
    digest, leaves, section = hashlib.sha256(), [], b''
    for kind, entry in entries:
        if kind == 4:
            section = entry
        if kind == 7:
            salt = hmac.digest(seed, struct.pack('<Q', len(leaves)), 'sha256')
            entry = hashlib.sha256(b'\0' + salt + section + entry).digest()
            leaves.append(entry)
        digest.update(varint(kind) + varint(len(entry)) + entry)
    return digest.digest(), leaves


def root(leaves):
    """RFC 9162 2.1.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b'\1' + root(leaves[:half]) + root(leaves[half:])).digest()


def journal():
    """Step 4: the entries of all records, in order."""
    before, generation, writers = bytes(32), 1, set()
    for number, data in records():
        name = 'journal/%012d' % number
        assert data[:8] == b'MBJR' + struct.pack('<I', 1)
        sealed_under, length, salt = *struct.unpack('<II', data[8:16]), data[16:48]
        assert sealed_under == generation, 'sealed under a generation that was not in use'
        signed = opened(b'journal', sealed_under, salt, 0, data[48:296], name.encode())
        header, signature = signed[:168], signed[168:]
        assert struct.unpack('<Q', header[:8])[0] == number and header[16:48] == before, 'the chain is broken'
        before = hashlib.sha256(header).digest()
        signer = header[136:168]
        Ed25519PublicKey.from_public_bytes(signer).verify(signature, b'mailbrick/record/v1\0' + before)
        body = unpacked(opened(b'journal', sealed_under, salt, 1, data[296:296 + length], name.encode()))
        entries = list(entries_of(body[32:]))
        digest, leaves = summary(body[:32], entries)
        assert digest == header[48:80] and struct.pack('<Q', len(leaves)) == header[96:104] and root(leaves) == header[104:136]
        for kind, entry in entries:
            fields = Fields(entry)
            if kind == 15 and fields.varint() == 3:
                generation = fields.varint()
            if kind == 16:
                writers.add(entry[:32])
            yield kind, Fields(entry), data[296 + length:]
        assert signer in writers, 'signed by somebody whom nobody announced'


def pack_of(entry, behind):
    """Step 5: a pack's name and salt, and its bytes: of an object, or behind the record. A record that was folded has them no more:
    what is needed of them is in packs of later records."""
    name, salt = entry.take(16), entry.take(32)
    _size, _digest, _chunks, _generation, inline = entry.varint(), entry.take(32), entry.varint(), entry.varint(), entry.varint()
    if inline:
        return name, salt, behind
    path = 'packs/%s/%s' % (name.hex()[:2], name.hex())
    return name, salt, payload(path) if os.path.exists(os.path.join(args.archive, path)) else b''


def chunks_of(pack, salt, data):
    """Step 5: what a pack holds, by chunk: (id of the base or None, bytes of the chunk or of its delta)."""
    if not data:
        return {}
    assert data[:8] == b'MBPK' + struct.pack('<I', 1) and data[12:44] == salt and data[-8:] == b'MBPKEND1'
    assert hashlib.sha256(data[:-40]).digest() == data[-40:-8], 'damaged'
    start, length = struct.unpack('<QI', data[-56:-44])
    generation = struct.unpack('<I', data[8:12])[0]
    table = Fields(unpacked(opened(b'pack', generation, salt, 2**32 - 1, data[start:start + length], pack + b'table')))
    at, out = 44, {}
    for ordinal in range(table.varint()):
        sealed, plain = table.varint(), table.varint()
        frame = opened(b'pack', generation, salt, ordinal, data[at:at + sealed], pack + b'frame')
        at += sealed
        frame = Fields(unpacked(frame[1:]) if frame[0] == 1 else frame[1:])
        assert len(frame.data) == plain
        for _ in range(table.varint()):
            chunk, flags = table.take(16), table.take(1)[0]
            part = frame.take(table.varint())
            base = table.take(16) if flags & 16 else None
            _mark = table.take(8) if flags & 32 else None
            out[chunk] = base, part
    return out


def applied(base, delta):
    """What a delta makes of its base (package delta)."""
    fields = Fields(delta)
    size, moves = fields.varint(), Fields(fields.bytes())
    out, onwards = b'', 0
    while moves.more():
        inserted, copied, by = moves.varint(), moves.varint(), moves.varint()
        onwards += by >> 1 if by & 1 == 0 else -(by + 1 >> 1)
        out += fields.take(inserted) + base[onwards:onwards + copied]
        onwards += copied
    out += fields.data[fields.at:]
    assert len(out) == size
    return out


def chunk_of(held, chunk):
    base, part = held[chunk]
    return part if base is None else applied(held[base][1], part)


def blob(recipe, chunks):
    """Step 6: an item's bytes."""
    fields = Fields(recipe)
    assert fields.take(2) == b'\1\1'
    streams = []
    for _ in range(fields.varint()):
        parts = []
        for _ in range(fields.varint()):
            chunk, length = fields.take(16), fields.varint()
            parts.append(chunk_of(chunks, chunk))
            assert len(parts[-1]) == length
        streams.append(Fields(b''.join(parts) if parts else fields.bytes()))
    out = []
    while fields.more():
        times = fields.varint()
        takes = [(fields.varint(), fields.varint()) for _ in range(fields.varint())]
        for _ in range(times):
            out += [streams[stream].take(n) for stream, n in takes]
    return b''.join(out)


config = json.loads(read('config'))
assert config['format'] == 1
keys = generations()
chunks, versions, mailbox, ordinal = {}, {}, None, None
for kind, entry, behind in journal():
    if kind == 2:
        chunks.update(chunks_of(*pack_of(entry, behind)))
    elif kind == 4:
        mailbox, ordinal = entry.bytes().decode(), entry.varint()
    elif kind == 7:
        item = entry.take(16)
        _item_id, _change_key, _folder = entry.bytes(), entry.bytes(), entry.bytes()
        size, digest, recipe = entry.varint(), entry.take(32), entry.take(16)
        versions[mailbox, item, ordinal] = size, digest, recipe
    elif kind == 11:
        of, _reason = entry.bytes().decode(), entry.bytes()
        for _ in range(entry.varint()):
            versions.pop((of, entry.take(16), entry.varint()))
for (mailbox, item, ordinal), (size, digest, recipe) in versions.items():
    data = blob(chunk_of(chunks, recipe), chunks)
    assert len(data) == size and hashlib.sha256(data).digest() == digest, 'not what was exported'
    if args.out:
        os.makedirs(os.path.join(args.out, mailbox), exist_ok=True)
        with open(os.path.join(args.out, mailbox, '%s-%d.fts' % (item.hex(), ordinal)), 'wb') as f:
            f.write(data)
print('%d versions of items, %d chunks: every digest is right' % (len(versions), len(chunks)))
