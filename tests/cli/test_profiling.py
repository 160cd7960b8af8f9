"""The time that `tern bench` gives to the model is no more than the whole process took, as DeepSpeed's test_model_profiling asks of its model times.

    test_profiling.py BUILD
"""
import time

from rig import DEMO, check, document, finish


def main():
    prompt, new = 32, 16
    for threads in (1, 2):
        start = time.monotonic()
        results = document("bench", "-m", DEMO, "-p", str(prompt), "-n", str(new), "-b", "1", "--threads", str(threads), "--json")["results"]
        wall = time.monotonic() - start
        for row in results:
            model = prompt / row["prompt_tokens_per_s"] + new / row["decode_tokens_per_s"]
            check(0 < model <= wall, f"{threads} threads: {model} s of the model in {wall} s")
    finish()


if __name__ == "__main__":
    main()
