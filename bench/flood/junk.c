/* Sends one Ethernet frame again and again, with parts of it random each time.

   Usage: junk INTERFACE FRAME_FILE RATE SECONDS [OFFSET:BYTES ...]

   The frame is UDP over IPv6. RATE is frames a second, 0: as many as go. It ends after SECONDS or
   at SIGTERM, and says {"sent": frames, "seconds": how long}. What it could not send in time,
   because it had no processor, it sends later, but for what is more than LATE_S behind: a wire
   holds no seconds of frames. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_FRAME = 1514, LEAST_FRAME = 62, AT_ONCE = 32, MOST_PARTS = 16 };
enum { SOURCE = 22, ADDRESSES = 32, UDP = 54, CHECKSUM = 60 };
static const double LATE_S = 0.01, TICK_S = 0.0002;

static volatile sig_atomic_t stopped;

static void stop(int number) {
    (void)number;
    stopped = 1;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static uint64_t random64(void) { /* xorshift64* */
    static uint64_t state = 0x9e3779b97f4a7c15u;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1du;
}

/* Of 16-bit words as they lie in memory: the order of their bytes does not matter (RFC 1071). */
static uint64_t sum32(const uint8_t *p, size_t length) {
    uint64_t sum = 0;
    for (; length >= 4; p += 4, length -= 4) {
        uint32_t word;
        memcpy(&word, p, sizeof word);
        sum += word;
    }
    uint32_t rest = 0;
    memcpy(&rest, p, length);
    return sum + rest;
}

static void complete(uint8_t *frame, size_t length) { /* RFC 8200, section 8.1 */
    memset(frame + CHECKSUM, 0, 2);
    uint64_t sum = sum32(frame + SOURCE, ADDRESSES) + sum32(frame + UDP, length - UDP);
    sum += htonl(IPPROTO_UDP) + (uint64_t)htonl((uint32_t)(length - UDP));
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    uint16_t sealed = (uint16_t)~sum;
    if (!sealed) sealed = 0xffff;
    memcpy(frame + CHECKSUM, &sealed, sizeof sealed);
}

int main(int count, char **words) {
    static uint8_t frames[AT_ONCE][MOST_FRAME];
    static struct { size_t at, bytes; } parts[MOST_PARTS];
    if (count < 5 || count > 5 + MOST_PARTS) {
        fprintf(stderr, "usage: junk INTERFACE FRAME_FILE RATE SECONDS [OFFSET:BYTES ...]\n");
        return 2;
    }
    double rate = atof(words[3]), seconds = atof(words[4]);
    FILE *file = fopen(words[2], "rb");
    if (!file) die(words[2]);
    size_t length = fread(frames[0], 1, MOST_FRAME, file), chosen = (size_t)count - 5;
    fclose(file);
    if (length < LEAST_FRAME) {
        fprintf(stderr, "junk: %s: %zu bytes are no frame\n", words[2], length);
        return 2;
    }
    for (size_t i = 0; i < chosen; i++)
        if (sscanf(words[5 + i], "%zu:%zu", &parts[i].at, &parts[i].bytes) != 2 ||
            parts[i].at > length || parts[i].bytes > length - parts[i].at) {
            fprintf(stderr, "junk: %s is no part of %zu bytes\n", words[5 + i], length);
            return 2;
        }
    for (size_t i = 1; i < AT_ONCE; i++) memcpy(frames[i], frames[0], length);

    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(words[1])};
    if (!to.sll_ifindex) die(words[1]);
    int raw = socket(AF_PACKET, SOCK_RAW, 0); /* receives nothing */
    if (raw < 0) die("socket");
    if (bind(raw, (struct sockaddr *)&to, sizeof to)) die("bind");
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);

    struct iovec vectors[AT_ONCE];
    struct mmsghdr messages[AT_ONCE];
    memset(messages, 0, sizeof messages);
    for (size_t i = 0; i < AT_ONCE; i++) {
        vectors[i] = (struct iovec){frames[i], length};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    uint64_t sent = 0;
    double began = now(), at = began, last = began, due = 0; /* frames that should be out and are not */
    while (!stopped && (at = now()) < began + seconds) {
        unsigned many = AT_ONCE;
        if (rate > 0) {
            due += (at - last) * rate;
            last = at;
            if (due > LATE_S * rate + 1) due = LATE_S * rate + 1;
            if (due < AT_ONCE) many = (unsigned)due;
        }
        if (!many || (rate > 0 && many < AT_ONCE && (double)many < TICK_S * rate)) {
            struct timespec pause = {.tv_nsec = (long)(TICK_S * 1e9)};
            nanosleep(&pause, NULL);
            continue;
        }
        for (unsigned i = 0; i < many; i++) {
            for (size_t part = 0; part < chosen; part++) {
                uint8_t *p = frames[i] + parts[part].at;
                for (size_t left = parts[part].bytes; left; ) {
                    uint64_t value = random64();
                    size_t some = left < sizeof value ? left : sizeof value;
                    memcpy(p, &value, some);
                    p += some;
                    left -= some;
                }
            }
            complete(frames[i], length);
        }
        int done = sendmmsg(raw, messages, many, 0);
        if (done < 0 && errno != EINTR && errno != ENOBUFS && errno != EAGAIN) die("sendmmsg");
        if (done > 0) {
            sent += (uint64_t)done;
            if (rate > 0) due -= done;
        }
    }
    printf("{\"sent\": %llu, \"seconds\": %.6f}\n", (unsigned long long)sent, now() - began);
    return 0;
}
