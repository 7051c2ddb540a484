// Runs a Lua script, with the rest of the command line as its `arg`. Without a file the script is standard input.
//
//     lua [SCRIPT [ARGUMENT..]]
//
// Errors that nothing in the script catches end the run with exit code 1.

#include <stdio.h>
#include <stdlib.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

// Not on standard error, which shares the console on Cascade.
static int failed(lua_State *state) {
  const char *why = lua_tostring(state, -1);
  printf("lua: %s\n", why ? why : "an error that is no text");
  return 1;
}

static const luaL_Reg libraries[] = {
  {LUA_GNAME, luaopen_base},
  {LUA_COLIBNAME, luaopen_coroutine},
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
  int status = luaL_loadfile(state, argc > 1 ? argv[1] : NULL);
  if (status == LUA_OK) {
    status = lua_pcall(state, 0, 0, 0);
  }
  if (status != LUA_OK) {
    return failed(state);
  }
  lua_close(state);
  return 0;
}
