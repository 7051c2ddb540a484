// What the calls on files and folders answer: the same lines as a native program, whatever the folder is. It leaves the folder
// that it runs in as it was.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *name(int error) {
  switch (error) {
    case 0: return "fine";
    case EAGAIN: return "EAGAIN";
    case EBADF: return "EBADF";
    case EEXIST: return "EEXIST";
    case EINVAL: return "EINVAL";
    case EISDIR: return "EISDIR";
    case ELOOP: return "ELOOP";
    case ENOENT: return "ENOENT";
    case ENOTDIR: return "ENOTDIR";
    case ENOTEMPTY: return "ENOTEMPTY";
    default: return "another error";
  }
}

static void say(const char *what, long result) {
  printf("%s: %s\n", what, name(result < 0 ? errno : 0));
}

static void count(const char *what, long number) {
  printf("%s: %ld\n", what, number);
}

// Opens, says what came of it, and closes.
static void opens(const char *path, int flags) {
  int fd = open(path, flags, 0666);
  printf("open %s %s%s%s%s%s: %s\n", path, flags & O_CREAT ? "C" : "", flags & O_EXCL ? "X" : "",
         flags & O_TRUNC ? "T" : "", flags & O_DIRECTORY ? "D" : "", flags & O_NOFOLLOW ? "N" : "", name(fd < 0 ? errno : 0));
  if (fd >= 0) {
    close(fd);
  }
}

static long entries(DIR *dir) {
  long found = 0;
  while (readdir(dir)) {
    found++;
  }
  return found;
}

static void opening(void) {
  opens("t/none", O_RDONLY);
  opens("t/file", O_WRONLY | O_CREAT);
  opens("t/file", O_WRONLY | O_CREAT | O_EXCL);
  opens("t/file", O_RDONLY | O_DIRECTORY);
  opens("t/file/", O_RDONLY);
  opens("t/file/x", O_RDONLY);
  opens("t", O_RDONLY | O_DIRECTORY);
  opens("t", O_WRONLY);
  opens("t/new/", O_WRONLY | O_CREAT);
  say("symlink", symlink("none", "t/dangling"));
  say("symlink again", symlink("none", "t/dangling"));
  opens("t/dangling", O_RDONLY);
  opens("t/dangling", O_WRONLY | O_CREAT | O_EXCL);
  opens("t/dangling", O_RDONLY | O_NOFOLLOW);
  opens("t/dangling", O_WRONLY | O_CREAT);
  opens("t/none", O_RDONLY);
  symlink("loop", "t/loop");
  opens("t/loop", O_RDONLY);
  char target[3];
  count("readlink, cut", readlink("t/dangling", target, sizeof target));
  say("readlink of a file", readlink("t/file", target, sizeof target));
}

static void contents(void) {
  int fd = open("t/file", O_RDWR | O_TRUNC);
  char bytes[20];
  count("write", write(fd, "hello, world", 12));
  count("pwrite", pwrite(fd, "J", 1, 0));
  count("where", lseek(fd, 0, SEEK_CUR));
  count("pread", pread(fd, bytes, 5, 0));
  printf("%.5s\n", bytes);
  say("before the start", lseek(fd, -1, SEEK_SET));
  count("behind the end", lseek(fd, 8, SEEK_END));
  count("read there", read(fd, bytes, sizeof bytes));
  count("write there", write(fd, "!", 1));
  struct stat state;
  fstat(fd, &state);
  count("size", state.st_size);
  say("truncate", ftruncate(fd, 3));
  say("allocate", posix_fallocate(fd, 0, 50));
  fstat(fd, &state);
  count("size", state.st_size);
  fcntl(fd, F_SETFL, O_APPEND);
  lseek(fd, 0, SEEK_SET);
  write(fd, "end", 3);
  count("after appending", lseek(fd, 0, SEEK_CUR));
  struct timespec times[2] = {{1000, 5}, {2000, 7}};
  say("times", futimens(fd, times));
  fstat(fd, &state);
  count("seconds", state.st_mtim.tv_sec);
  count("nanoseconds", state.st_mtim.tv_nsec);
  struct pollfd polled[2] = {{.fd = fd, .events = POLLIN | POLLOUT}, {.fd = 99, .events = POLLIN}};
  count("poll", poll(polled, 1, 1000));
  count("ready", polled[0].revents == (POLLIN | POLLOUT));
  count("terminal", isatty(fd));
  close(fd);
  say("closed", read(fd, bytes, 1));
  fd = open("t/file", O_RDONLY);
  say("write to what is read", write(fd, "x", 1));
  close(fd);
  fd = open("t/file", O_WRONLY);
  say("read what is written", read(fd, bytes, 1));
  close(fd);
}

static void folders(void) {
  say("mkdir", mkdir("t/sub", 0777));
  say("mkdir again", mkdir("t/sub", 0777));
  say("mkdir in a file", mkdir("t/file/sub", 0777));
  char path[64];
  for (int at = 0; at < 300; at++) {
    snprintf(path, sizeof path, "t/sub/a-name-that-is-not-short-%d", at);
    close(open(path, O_WRONLY | O_CREAT, 0666));
  }
  DIR *dir = opendir("t/sub");
  for (int at = 0; at < 100; at++) {
    readdir(dir);
  }
  long place = telldir(dir);
  count("after a hundred", entries(dir));
  seekdir(dir, place);
  count("again from there", entries(dir));
  rewinddir(dir);
  count("from the start", entries(dir));
  closedir(dir);
  int fd = open("t/sub", O_RDONLY | O_DIRECTORY);
  say("read a folder", read(fd, path, sizeof path));
  opens("t/sub/../file", O_RDONLY);
  int in = openat(fd, "a-name-that-is-not-short-7", O_RDONLY);
  say("open in it", in);
  close(in);
  close(fd);
  say("unlink a folder", unlink("t/sub"));
  say("remove a full folder", rmdir("t/sub"));
  say("remove a file", rmdir("t/file"));
  say("a file over a folder", rename("t/file", "t/sub"));
  say("a folder over a file", rename("t/sub", "t/file"));
  say("a folder into itself", rename("t/sub", "t/sub/deeper"));
  say("rename", rename("t/sub", "t/other"));
  for (int at = 0; at < 300; at++) {
    snprintf(path, sizeof path, "t/other/a-name-that-is-not-short-%d", at);
    unlink(path);
  }
  say("link", link("t/file", "t/second"));
  struct stat state;
  stat("t/second", &state);
  count("names", state.st_nlink);
  lstat("t/loop", &state);
  count("a link", S_ISLNK(state.st_mode));
  say("stat of a loop", stat("t/loop", &state));
}

int main(void) {
  say("start", mkdir("t", 0777));
  opening();
  contents();
  folders();
  for (const char *const *one = (const char *const[]){"file", "second", "none", "dangling", "loop", NULL}; *one; one++) {
    char path[64];
    snprintf(path, sizeof path, "t/%s", *one);
    say(path, unlink(path));
  }
  say("empty", rmdir("t/other"));
  say("end", rmdir("t"));
}
