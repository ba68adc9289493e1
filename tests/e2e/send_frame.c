// Sends a frame from a guest that has nothing but busybox:
//   send_frame INTERFACE_INDEX FRAME_IN_HEX COUNT
// Linked without a C library, so that it is small enough to be typed at a serial console.
typedef unsigned char byte;

static long call(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static int number_in(const char* text) {
  int number = 0;
  while (*text) number = number * 10 + (*text++ - '0');
  return number;
}

static int digit_of(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

void run(long* stack) {
  enum { sys_write_to = 44, sys_socket = 41, sys_exit = 60, af_packet = 17, sock_raw = 3 };
  char** words = (char**)(stack + 2);
  static byte frame[2048];
  static byte address[20];  // sockaddr_ll
  long size = 0;
  int failures = 0;
  for (const char* hex = words[1]; hex[0] && hex[1] && size < 2048; hex += 2)
    frame[size++] = (byte)(digit_of(hex[0]) * 16 + digit_of(hex[1]));
  const int index = number_in(words[0]);
  address[0] = af_packet;
  for (int i = 0; i < 4; ++i) address[4 + i] = (byte)(index >> (8 * i));
  const long opened = call(sys_socket, af_packet, sock_raw, 0, 0, 0, 0);
  for (int left = number_in(words[2]); left > 0; --left)
    if (call(sys_write_to, opened, (long)frame, size, 0, (long)address, sizeof address) != size)
      ++failures;
  call(sys_exit, opened < 0 || failures > 0, 0, 0, 0, 0, 0);
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call run\n");
