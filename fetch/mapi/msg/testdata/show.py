"""Prints what olefile sees in .msg files, as JSON: per file its streams with
their sizes and its properties with their names and the hash of their values."""
import hashlib, json, struct, sys
import olefile

FIXED = {2, 3, 4, 5, 6, 7, 0xA, 0xB, 0x14, 0x40}


def names(ole):
    base = "__nameid_version1.0/__substg1.0_"
    if not ole.exists(base + "00030102"):
        return []
    sets, entries, texts = (ole.openstream(base + s).read() for s in ("00020102", "00030102", "00040102"))
    found = []
    for i in range(0, len(entries) - 7, 8):
        key, word, index = struct.unpack_from("<IHH", entries, i)
        assert index == i // 8, "name %d has index %d" % (i // 8, index)
        number = word >> 1
        fixed = {0: "none", 1: "mapi", 2: "public"}
        at = (number - 3) * 16
        which = fixed.get(number) or sets[at:at + 16].hex()
        if word & 1:
            n = struct.unpack_from("<I", texts, key)[0]
            text = texts[key + 4:key + 4 + n]
            found.append(which + " " + text.decode("utf-16-le", "replace"))
            crc = 0
            for c in text:  # reflected CRC-32, begun with 0, not inverted
                crc ^= c
                for _ in range(8):
                    crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
            key = crc
        else:
            found.append(which + " %d" % key)
        bucket = base + "%04X0102" % (0x1000 + (key ^ word) % 31)
        record = struct.pack("<IHH", key, word, index)
        data = ole.openstream(bucket).read()
        assert record in [data[j:j + 8] for j in range(0, len(data), 8)], "name %d is not in its bucket" % index
    return found


def value(ole, path, tag, entry, names):
    kind = tag & 0xFFFF
    if kind in FIXED:
        return entry[8:16]
    stream = "/".join(path + ["__substg1.0_%08X" % tag])
    size = struct.unpack_from("<I", entry, 8)[0]
    if kind == 0xD:
        assert size == 0xFFFFFFFF and ole.get_type(stream) == olefile.STGTY_STORAGE
        return b""
    data = ole.openstream(stream).read()
    assert size == len(data) + {0x1E: 1, 0x1F: 2}.get(kind, 0), "size of %08X" % tag
    if kind in (0x101E, 0x101F, 0x1102):
        width = 8 if kind == 0x1102 else 4
        members = []
        for i in range(len(data) // width):
            member = ole.openstream(stream + "-%08X" % i).read()
            assert len(member) == struct.unpack_from("<I", data, i * width)[0], "member %d of %08X" % (i, tag)
            members.append(member)
        return b"".join(members)
    return data


def show(file):
    ole = olefile.OleFileIO(file)
    table = names(ole)
    result = {"issues": [str(i[1]) for i in ole.parsing_issues], "class": ole.root.clsid, "streams": {}, "properties": {}}
    for path in ole.listdir(streams=True, storages=False):
        result["streams"]["/".join(path)] = ole.get_size(path)
        if path[-1] != "__properties_version1.0":
            continue
        data = ole.openstream(path).read()
        where = path[:-1]
        header = 8 if where and where[-1][:3] in ("__r", "__a") else 24 if where else 32
        assert (len(data) - header) % 16 == 0
        last = -1
        for i in range(header, len(data), 16):
            entry = data[i:i + 16]
            tag = struct.unpack_from("<I", entry)[0]
            assert tag > last, "not in order"
            last = tag
            name = "%04X" % (tag >> 16)
            if 0x80000000 <= tag < 0xFFFF0000:
                name = table[(tag >> 16) - 0x8000]
            key = "/".join(where + ["%s %04X" % (name, tag & 0xFFFF)])
            result["properties"][key] = hashlib.sha256(value(ole, where, tag, entry, table)).hexdigest()[:16]
    return result


json.dump({f: show(f) for f in sys.argv[1:]}, sys.stdout)
