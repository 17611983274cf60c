"""Runs a command on a terminal of its own, 80 columns and 24 lines, and passes on what it shows there.

terminal.py TEXT COMMAND...: types Ctrl-C when TEXT has been shown and the cursor has gone back to the
beginning of its row, as at the end of each drawing; an empty TEXT is never shown.
"""
import fcntl, os, select, signal, struct, sys, termios

text, command = sys.argv[1].encode(), sys.argv[2:]
# The command's side stays open here: what it shows last is not lost when it ends.
terminal, side = os.openpty()
fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
# Ctrl-C discards unread output by default, which NOFLSH prevents.
modes = termios.tcgetattr(side)
modes[3] |= termios.NOFLSH
termios.tcsetattr(side, termios.TCSANOW, modes)
child = os.fork()
if child == 0:
    os.login_tty(side)
    # A shell that starts something in the background has it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(command[0], command)
shown, status = b"", None
while True:
    if not select.select([terminal], [], [], 0.2)[0]:
        if status is not None:
            break
        ended, code = os.waitpid(child, os.WNOHANG)
        status = code if ended else None
        continue
    piece = os.read(terminal, 65536)
    sys.stdout.buffer.write(piece)
    shown += piece
    if text and text in shown and shown.endswith(b"\r"):
        os.write(terminal, b"\x03")
        text = b""
sys.stdout.flush()
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)  # 128 plus the signal, as in a shell
