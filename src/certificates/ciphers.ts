import { DEFAULT_CIPHERS } from 'node:tls';

/** Node's own list, but AES with 128 bits first: no weaker in practice, and a quarter cheaper for each byte. */
export const preferredCiphers = [...new Set(['TLS_AES_128_GCM_SHA256', ...DEFAULT_CIPHERS.split(':')])].join(':');
