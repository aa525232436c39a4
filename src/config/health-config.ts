import type { Secret } from './secret.ts';

export interface HealthConfig {
  readonly checks: readonly CheckConfig[];
}

/** Something whose failure makes this server refuse to serve. */
export type CheckConfig = {
  /** As `/debug/health` tells of it; its own. */
  readonly name: string;
  readonly intervalMs: number;
  /** So many failures in a row count. */
  readonly threshold: number;
} & (
  | { readonly kind: 'storage' }
  | { readonly kind: 'file'; readonly path: string }
  | {
      readonly kind: 'http';
      readonly url: string;
      readonly headers: readonly (readonly [name: string, values: readonly Secret[]])[];
      readonly status: number;
      readonly timeoutMs: number;
    }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly timeoutMs: number }
);
