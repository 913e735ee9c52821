package process

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the command the leader of a process group of its own, which
// also ends if this process does without stopping it.
func ownGroup(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	return nil
}

func terminate(pid int) {
	_ = syscall.Kill(pid, syscall.SIGTERM) // ended already is fine
}

func killGroup(leader int) {
	_ = syscall.Kill(-leader, syscall.SIGKILL) // none left is fine
}
