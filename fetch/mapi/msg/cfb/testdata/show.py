"""Prints the streams olefile sees in compound files, as JSON: path to size and
hash of the content; null for a file it finds fault with."""
import hashlib, json, sys
import olefile


def show(file):
    try:
        ole = olefile.OleFileIO(file)
        if ole.parsing_issues:
            return None
        return {"/".join(p): "%d %s" % (ole.get_size(p), hashlib.sha256(ole.openstream(p).read()).hexdigest())
                for p in ole.listdir(streams=True, storages=False)}
    except Exception:
        return None


json.dump({f: show(f) for f in sys.argv[1:]}, sys.stdout)
