// Lua includes this header even where it is told how to do without jumps; wasi-libc's says that it has none.
#pragma once
