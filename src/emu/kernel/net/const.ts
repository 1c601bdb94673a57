// Numbers of the socket interface (linux/socket.h, asm-generic/socket.h).
export const AF_UNSPEC = 0;
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;

export const MSG_OOB = 1;
export const MSG_PEEK = 2;
export const MSG_CTRUNC = 8;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_WAITALL = 0x100;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_WAITFORONE = 0x1_0000;
export const MSG_CMSG_CLOEXEC = 0x4000_0000;

export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;

/** Bytes that a socket holds before its writer waits (net.core.wmem_default). */
export const SOCKET_BYTES = 212992;
/** Bytes that all sockets of TCP and UDP may hold before each is cut to LEAST_BYTES (net.ipv4.tcp_mem). */
export const POOL_BYTES = 64 << 20;
/** What a socket may hold at least. */
export const LEAST_BYTES = 4096;
/** Longest queue that listen() gives (net.core.somaxconn). */
export const SOMAXCONN = 4096;
