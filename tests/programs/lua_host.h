// Read before each of Lua's sources: how it does without temporary files, and on a small stack.
#pragma once

#include <stdio.h>

#define tmpfile() NULL

// Calls of C inside one another, of which each takes about a kilobyte of a VM's 128.
#define LUAI_MAXCCALLS 100
