// Read before each of Lua's sources: how it does without `longjmp` and without temporary files.
#pragma once

#include <stdio.h>

struct lua_State;
_Noreturn void lua_ended(struct lua_State *state);

#define LUAI_THROW(L, c) lua_ended(L)
#define LUAI_TRY(L, c, a) { a }
#define luai_jmpbuf int

#define tmpfile() NULL
