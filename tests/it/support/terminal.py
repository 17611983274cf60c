"""Runs a command on a terminal of its own, 80 columns and 24 lines, and passes on what it shows there.

terminal.py TEXT COMMAND...: types Ctrl-C when TEXT has been shown and the cursor has gone back to the
beginning of its row, as at the end of each drawing; an empty TEXT is never shown.
"""
import fcntl, os, pty, signal, struct, sys, termios

text, command = sys.argv[1].encode(), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    # A shell that starts something in the background has it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(command[0], command)
shown = b""
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:  # the last one who had it open has left
        break
    if not piece:
        break
    sys.stdout.buffer.write(piece)
    shown += piece
    if text and text in shown and shown.endswith(b"\r"):
        os.write(terminal, b"\x03")
        text = b""
sys.stdout.flush()
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(code if code >= 0 else 128 - code)  # by a signal: as a shell tells it
