"""Peak memory of a process of its own, watched from within it."""

# At the head of a script. Anonymous memory: pages of a mapped file count as resident too, and the system drops them
# when it needs to.
WATCH = """
import re, threading, time

peak = [0]
def watch():
    while True:
        with open("/proc/self/status") as file:
            peak[0] = max(peak[0], int(re.search(r"RssAnon:\\s+(\\d+)", file.read())[1]))
        time.sleep(0.001)
threading.Thread(target=watch, daemon=True).start()
"""
