// All that Lua wants of signals is a type: wasi-libc has it only beside an emulation of them.
#pragma once
typedef int sig_atomic_t;
