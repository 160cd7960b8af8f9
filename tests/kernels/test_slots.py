"""Every slot of src/kernels/kernels.h is compared with its scalar twin on 1,000 shapes: it stands in a table of src/kernels/rows.h, and a test goes through
that table so often.

    test_slots.py BUILD
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
KERNELS = HERE.parents[1] / "src" / "kernels"
SHAPES = 1000


def main():
    listed = re.search(r"#define TERN_KERNEL_SLOTS\(X\)(.*?)\n\n", (KERNELS / "kernels.h").read_text(), flags=re.S).group(1)
    slots, tested = re.findall(r"X\((\w+),", listed), set()
    for table, rows in re.findall(r"^static const \w+ (\w+_slots)\[\] = \{(.*?)^\};", (KERNELS / "rows.h").read_text(), flags=re.M | re.S):
        for test in HERE.glob("test_*.c"):
            text = test.read_text()
            shapes = re.search(r"\bSHAPES = (\d+)", text)
            if f"N_ROWS({table})" in text and shapes and int(shapes.group(1)) >= SHAPES:
                tested |= set(re.findall(r"(?:ROW|PACK)_SLOT\((\w+)\)", rows))
    faults = [f"no test compares {slot} with its scalar twin on {SHAPES} shapes" for slot in slots if slot not in tested]
    for fault in faults:
        print(fault)
    print(f"{len(slots)} slots")
    sys.exit(1 if faults or len(slots) < 20 else 0)


if __name__ == "__main__":
    main()
