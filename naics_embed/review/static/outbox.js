// What the reviewer has decided, until the server has it. Each entry has a place of its own in
// localStorage, so that tabs, a reload or a server that is down lose none; its key lets the server
// tell a repetition.
import { ApiError, post, whoami } from './api.js';

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;
const ADDRESSES = { decision: 'api/decisions', comment: 'api/comments' };
const CSRF_STATUS = 403;

export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export class Outbox {
  constructor(user, onChange, onSignedOut, onSaved = () => {}) {
    this.prefix = `naics-review:${user}:`;
    this.onChange = onChange;
    this.onSignedOut = onSignedOut;
    this.onSaved = onSaved;
    this.sending = false;
    this.wait = FIRST_WAIT_MS;
    this.timer = null;
    this.number = 0;
    addEventListener('online', () => this.send());
  }

  names() {
    const found = [];
    for (let at = 0; at < localStorage.length; at += 1) {
      const name = localStorage.key(at);
      if (name.startsWith(this.prefix)) found.push(name);
    }
    return found.sort();
  }

  entries() {
    return this.names().flatMap((name) => {
      const text = localStorage.getItem(name);
      return text ? [{ name, ...JSON.parse(text) }] : [];
    });
  }

  get waiting() { return this.entries().filter((entry) => !entry.failure); }

  get failed() { return this.entries().filter((entry) => entry.failure); }

  // In order of time, and within a millisecond of number.
  add(kind, body, label) {
    this.number += 1;
    const time = String(Date.now()).padStart(15, '0');
    const name = `${this.prefix}${time}:${String(this.number).padStart(6, '0')}:${body.key}`;
    localStorage.setItem(name, JSON.stringify({ kind, body, label }));
    this.onChange();
    this.send();
  }

  dismiss() {
    for (const entry of this.failed) localStorage.removeItem(entry.name);
    this.onChange();
  }

  async send() {
    if (this.sending) return;
    this.sending = true;
    clearTimeout(this.timer);
    try {
      if (navigator.locks) await navigator.locks.request(this.prefix, () => this.sendAll());
      else await this.sendAll();
    } finally {
      this.sending = false;
      this.onChange();
    }
  }

  async sendAll() {
    for (let entry = this.waiting[0]; entry; entry = this.waiting[0]) {
      const done = await this.sendOne(entry, true);
      if (!done) return;
      this.wait = FIRST_WAIT_MS;
      this.onChange();
    }
  }

  async sendOne(entry, again) {
    try {
      const answer = await post(ADDRESSES[entry.kind], entry.body);
      localStorage.removeItem(entry.name);
      this.onSaved(entry, answer);
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) {
        this.onSignedOut();
        return false;
      }
      if (error.status === CSRF_STATUS && again) {
        // The token may be out of date, after a sign-in in another tab.
        const fresh = await whoami().then(() => true, () => false);
        if (fresh) return this.sendOne(entry, false);
      }
      if (error.passing) {
        this.timer = setTimeout(() => this.send(), this.wait);
        this.wait = Math.min(2 * this.wait, LONGEST_WAIT_MS);
        return false;
      }
      const { name, ...kept } = entry;
      localStorage.setItem(name, JSON.stringify({ ...kept, failure: error.message }));
      return true;
    }
  }
}
