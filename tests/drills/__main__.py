"""``python -m tests.drills [NAME …]``: the drills at full length, each on a fresh system, each ending with its balance."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.drills import cameras, gateways, storms_of_messages
from tests.drills.catalogue import DRILLS, fresh_system


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.drills", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=", ".join([*DRILLS, "cameras", "gateways", "storm-of-messages"]),
    )
    parser.add_argument("--events", type=int, default=20_000, help="about how many events flow (20,000)")
    parser.add_argument("--broker", choices=("local", "kafka"), default="local")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--cameras", type=int, default=50, help="of the drill of that name (50)")
    parser.add_argument("--minutes", type=float, default=10, help="of the drill of cameras (10)")
    parser.add_argument("--messages", type=int, default=10_000, help="of the drill of gateways (10,000)")
    asked = parser.parse_args()
    if asked.names == ["cameras"]:
        # It needs RTSP servers and nothing of the system but the cameras' process.
        balance = cameras.drill(cameras.Plan(asked.cameras, asked.minutes * 60), asked.seed, print)
        print(balance, flush=True)
        return int(bool(balance.faults))
    if asked.names == ["gateways"]:
        # The same: senders and gateways, no events.
        account = gateways.drill(gateways.Plan(asked.messages, asked.seed), say=print)
        print(account, flush=True)
        return int(bool(account.faults))
    if asked.names == ["storm-of-messages"]:
        return int(not storms_of_messages.run(seed=asked.seed))
    if unknown := set(asked.names) - DRILLS.keys():
        parser.error(f"no drill is called {', '.join(sorted(unknown))}; there are {', '.join(DRILLS)}")
    failed = 0
    for name in asked.names or [name for name, each in DRILLS.items() if asked.broker in each.brokers]:
        if asked.broker not in DRILLS[name].brokers:
            parser.error(f"{name} runs on {' and '.join(DRILLS[name].brokers)} only")
        with (
            tempfile.TemporaryDirectory(prefix="mj-drill-") as folder,
            fresh_system(Path(folder), asked.broker) as system,
        ):
            if name == "clock" and system.set_clock is None:
                print("== the clock jumps: left out, there is no C compiler here", flush=True)
                continue
            done = DRILLS[name].long(system, asked.events, asked.seed)
            print(done, flush=True)
            failed += bool(done.faults)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
