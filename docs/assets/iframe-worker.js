/* iframe-worker 1.0.4, which lets the search work in pages opened from files. Published minified, here laid out
and with names.

Copyright (c) 2020-2022 Martin Donath <martin.donath@squidfunk.com>

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to
deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or
sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NON-INFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING
FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS
IN THE SOFTWARE.
*/
(() => {
  // These two are written into the frame as text, so they use nothing of this file.
  function post(message, origin) {
    parent.postMessage(message, origin || "*");
  }

  function load(...addresses) {
    return addresses.reduce(
      (before, address) =>
        before.then(
          () =>
            new Promise((resolve) => {
              const script = document.createElement("script");
              script.src = address;
              script.onload = resolve;
              document.body.appendChild(script);
            }),
        ),
      Promise.resolve(),
    );
  }

  class IFrameWorker extends EventTarget {
    constructor(url) {
      super();
      this.url = url;
      this.hear = (event) => {
        if (event.source !== this.frameWindow) return;
        this.dispatchEvent(new MessageEvent("message", { data: event.data }));
        this.onmessage?.(event);
      };
      this.fail = (message, filename, lineno, colno, error) => {
        if (filename !== `${this.url}`) return;
        const event = new ErrorEvent("error", { message, filename, lineno, colno, error });
        this.dispatchEvent(event);
        this.onerror?.(event);
      };
      this.iframe = document.createElement("iframe");
      this.iframe.hidden = true;
      document.body.appendChild(this.iframe);
      const inside = this.frameWindow.document;
      inside.open();
      inside.write(
        `<html><body><script>postMessage=${post};importScripts=${load};addEventListener("error",({error})=>{parent.dispatchEvent(new ErrorEvent("error",{filename:"${url}",error}))})</script><script src=${url}?${Date.now()}></script></body></html>`,
      );
      inside.close();
      window.onmessage = this.hear;
      window.onerror = this.fail;
      this.ready = new Promise((resolve, reject) => {
        this.frameWindow.onload = resolve;
        this.frameWindow.onerror = reject;
      });
    }

    terminate() {
      this.iframe.remove();
      window.onmessage = null;
      window.onerror = null;
    }

    postMessage(data) {
      this.ready.catch().then(() => {
        this.frameWindow.dispatchEvent(new MessageEvent("message", structuredClone({ data })));
      });
    }

    get frameWindow() {
      return this.iframe.contentWindow;
    }
  }

  window.IFrameWorker = IFrameWorker;
  if (location.protocol === "file:") window.Worker = IFrameWorker;
})();
