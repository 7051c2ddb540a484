// Read before each of Lua's sources: how it does without temporary files.
#pragma once

#include <stdio.h>

#define tmpfile() NULL
