/* A plugin for qemu-user of QEMU 5 to 8 that counts the instructions of a program, exactly
   and on any machine, whatever its load. Options:

	mark=0x…   the address of a function that the program calls before and after what is
	           to be counted
	out=FILE   gets a line each time: the instructions since the time before

   Debian packages no header for plugins, so what is used of it is declared here. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
extern void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t, void (*)(uint64_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, void (*)(unsigned, void *), int, void *);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);

#define VISIBLE __attribute__((visibility("default")))

VISIBLE int qemu_plugin_version = 1;

enum { NO_REGISTERS = 0, ADD = 0 };

static uint64_t instructions, before, mark;
static FILE *out;

static void at_mark(unsigned processor, void *data)
{
	(void)processor;
	(void)data;
	fprintf(out, "%llu\n", (unsigned long long)(instructions - before));
	fflush(out);
	before = instructions;
}

/* A block is translated once and runs many times. The mark is the first of its block,
   because it is called. */
static void translated(uint64_t id, struct qemu_plugin_tb *block)
{
	(void)id;
	if (qemu_plugin_tb_vaddr(block) == mark)
		qemu_plugin_register_vcpu_tb_exec_cb(block, at_mark, NO_REGISTERS, NULL);
	qemu_plugin_register_vcpu_tb_exec_inline(block, ADD, &instructions, qemu_plugin_tb_n_insns(block));
}

VISIBLE int qemu_plugin_install(uint64_t id, const void *about, int argc, char **argv)
{
	(void)about;
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "mark=", 5) == 0)
			mark = strtoull(argv[i] + 5, NULL, 0);
		else if (strncmp(argv[i], "out=", 4) == 0)
			out = fopen(argv[i] + 4, "w");
	}
	if (mark == 0 || out == NULL) {
		fprintf(stderr, "instructions: mark=ADDRESS and out=FILE are needed\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
