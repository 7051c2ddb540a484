// Runs a Lua script, with the rest of the command line as its `arg`. Without a file the script is standard input.
//
//     lua [SCRIPT [ARGUMENT..]]
//
// WebAssembly has no `longjmp`: an error, caught by `pcall` or not, ends the run.

#include <stdio.h>
#include <stdlib.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

// In place of a jump to whom an error concerns.
_Noreturn void lua_ended(lua_State *state) {
  const char *why = lua_tostring(state, -1);
  // Not on standard error, which shares the console on Cascade.
  printf("lua: %s\n", why ? why : "an error that is no text");
  exit(1);
}

static const luaL_Reg libraries[] = {
  {LUA_GNAME, luaopen_base},
  {LUA_TABLIBNAME, luaopen_table},
  {LUA_IOLIBNAME, luaopen_io},
  {LUA_STRLIBNAME, luaopen_string},
  {LUA_MATHLIBNAME, luaopen_math},
  {LUA_UTF8LIBNAME, luaopen_utf8},
};

int main(int argc, char **argv) {
  lua_State *state = luaL_newstate();
  if (!state) {
    return 2;
  }
  for (size_t at = 0; at < sizeof libraries / sizeof *libraries; at++) {
    luaL_requiref(state, libraries[at].name, libraries[at].func, 1);
    lua_pop(state, 1);
  }
  lua_newtable(state);
  for (int at = 1; at < argc; at++) {
    lua_pushstring(state, argv[at]);
    lua_rawseti(state, -2, at - 1);
  }
  lua_setglobal(state, "arg");
  if (luaL_loadfile(state, argc > 1 ? argv[1] : NULL) != LUA_OK) {
    fprintf(stderr, "lua: %s\n", lua_tostring(state, -1));
    return 1;
  }
  // Protected: what throws then comes to `lua_ended`.
  if (lua_pcall(state, 0, 0, 0) != LUA_OK) {
    return 1;
  }
  lua_close(state);
  return 0;
}
