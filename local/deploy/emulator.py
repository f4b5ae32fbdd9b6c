"""Runs ministack with two waits of it (1.5.33) taken out; together they cost 90 ms an invocation.

Settings come from the environment, see start.sh.
"""
import socketserver

from ministack.app import main
from ministack.core import lambda_runtime

# Its Runtime API sends header and body as two packets: with Nagle's algorithm the second one waits for the delayed
# acknowledgement of the first, 40 ms.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True

# After each invocation it waits 50 ms for a log line that most of ours never write.
drain = lambda_runtime.Worker._drain_stderr_bounded
lambda_runtime.Worker._drain_stderr_bounded = lambda worker, first_line_wait=0.001: drain(
    worker, first_line_wait=first_line_wait, idle_confirm=0.001, hard_cap=max(0.05, first_line_wait))

if __name__ == "__main__":
    main()
