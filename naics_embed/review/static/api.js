// Requests to the server of the page.
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  // Whether the same request may succeed later.
  get passing() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

let csrf = null;

export async function request(method, address, body) {
  const headers = { Accept: 'application/json' };
  if (csrf) headers['X-CSRF-Token'] = csrf;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let answer;
  try {
    answer = await fetch(address, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: 'same-origin',
    });
  } catch (error) {
    throw new ApiError(0, `the server does not answer (${error.message})`);
  }
  if (answer.status === 204) return null;
  let content;
  try {
    content = await answer.json();
  } catch {
    throw new ApiError(answer.ok ? 0 : answer.status, `the answer of the server broke off (${answer.status})`);
  }
  if (!answer.ok) {
    const reasons = (content.errors ?? []).map((fault) => fault.reason);
    throw new ApiError(answer.status, [content.detail, ...reasons].join(': '));
  }
  return content;
}

export const get = (address) => request('GET', address);
export const post = (address, body = {}) => request('POST', address, body);

// Who is signed in; requests that change something need the token of the answer.
export async function whoami() {
  const me = await get('api/me');
  csrf = me.csrf;
  return me;
}
