package process

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the command the leader of a process group of its own, which
// also ends if this process does without stopping it.
func ownGroup(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	return nil
}

func terminate(pid int) {
	_ = syscall.Kill(pid, syscall.SIGTERM) // ended already is fine
}

func killGroup(leader int) {
	_ = syscall.Kill(-leader, syscall.SIGKILL) // none left is fine
}
