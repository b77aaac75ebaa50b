// Made from page-script.ts by `npm run build`; not to be edited.

/** The script of a plan's page. */
export const pageScript =
  "(function(){let e=[[/[\\p{M}\\p{Cf}]/u,0],[/[\\p{Extended_Pictographic}\\p{Regional_Indicator}" +
  "]/u,1.4],[/[\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff00-\\uff60" +
  "]/u,1.05],[/[\\u{1f000}-\\u{3ffff}]/u,1.4],[/[ijlI.,:;!|'` ·]/,.4],[/[ftr()[\\]{}/\\\\\"-]/,.47]" +
  ",[/[mwMWOQ@%…—]/,1],[/[A-Z+=<>±×−→~#]/,.84],[/[a-z0-9]/,.64]];function t(e,t){let r=0;for(" +
  "let t of e)r+=n(t);return r*t}function n(t){return e.find(([e])=>e.test(t))?.[1]??.8}funct" +
  "ion r(e){let t=[];for(let r of e){let e=t.at(-1);e!==void 0&&(n(r)===0||e.endsWith(`‍`))?t" +
  "[t.length-1]=e+r:t.push(r)}return t}function i(e,n,i){if(t(e,i)<=n)return e;let a=r(e);for" +
  "(let e=a.length-1;e>0;e--){let r=e>>1,o=a.slice(a.length-(e-r)),s=`${a.slice(0,r).join(``)" +
  "}…${o.join(``)}`;if(t(s,i)<=n)return s}return`…`}function a(e,t,n,r){let a=o(e,t,n);if(a.l" +
  "ength<=r)return a;for(let a=r;a>0;a-=.1){let s=o(i(e,a*t,n),t,n);if(s.length<=r)return s}r" +
  "eturn a.slice(0,r)}function o(e,n,i){let a=[],o=``;for(let s of r(e)){if(o!==``&&t(o+s,i)>" +
  "n){let e=Math.max(o.lastIndexOf(` `),o.lastIndexOf(`-`),o.lastIndexOf(`/`))+1,t=2*e>o.leng" +
  "th?e:o.length;a.push(o.slice(0,t).trim()),o=o.slice(t).trimStart()}o+=s}return o.trim()===" +
  "``?a:[...a,o.trim()]}function s(e){return Math.ceil(1.25*e)+3}function c(e,{width:n,fontSi" +
  "ze:r,indent:i}){let o=s(r),c=[],[l,u,d]=[0,0,0];for(let s of e){let e=a(s,n-i,r,3),f=i+Mat" +
  "h.max(0,...e.map(e=>t(e,r)));l>0&&l+f>n&&(l=0,u+=d,d=0),c.push({x:l+i,y:u+o-4,lines:e}),d=" +
  "Math.max(d,o*e.length),l+=f+14}return{placed:c,height:u+d}}function l(e){return e.replaceA" +
  "ll(`&`,`&amp;`).replaceAll(`<`,`&lt;`).replaceAll(`>`,`&gt;`).replaceAll(`\"`,`&quot;`)}fun" +
  "ction u(e,t,n=[]){return`<${e}${Object.entries(t).filter(([,e])=>e!==void 0).map(([e,t])=>" +
  "` ${e}=\"${d(t)}\"`).join(``)}>${n.join(``)}</${e}>`}function d(e){return typeof e==`number`" +
  "?String(Math.round(e*100)/100):l(e)}function f({y:e},{width:n,top:r,plotHeight:i,fontSize:" +
  "a}){let o=Math.max(0,...e.ticks.map(({label:e})=>t(e,a))),c=r+h(e,n,a).length*s(a)+a/2;ret" +
  "urn{left:Math.min(Math.max(40,Math.ceil(o)+12),n/3),right:n-14,top:c,bottom:c+i}}function " +
  "p({x:e,y:t},{width:n,top:r,fontSize:i},a){let o=s(i),c=a.bottom+i+8,d=[...m(e,a,c,i),...ee" +
  "(t,a,i)];for(let[e,a]of h(t,n,i).entries()){let t={class:`title`,x:2,y:r+i+e*o};d.push(u(`" +
  "text`,t,[l(a)]))}let f=h(e,n-14,i);for(let[e,t]of f.entries()){let n={class:`title`,x:a.ri" +
  "ght,y:c+2+(e+1)*o};d.push(u(`text`,{...n,\"text-anchor\":`end`},[l(t)]))}return{content:d.jo" +
  "in(``),bottom:c+2+f.length*o+i/2}}function m({ticks:e},{left:n,right:r,top:i,bottom:a},o,s" +
  "){let c=[],d=0;for(let{at:f,label:p}of e){let e=n+f*(r-n),m=t(p,s)/2;if(c.push(u(`line`,{c" +
  "lass:`grid`,x1:e,x2:e,y1:i,y2:a})),e-m<d||e+m>r+14)continue;let ee={class:`tick`,x:e,y:o,\"" +
  "text-anchor\":`middle`};c.push(u(`text`,ee,[l(p)])),d=e+m+8}return c}function ee({ticks:e}," +
  "{left:t,right:n,top:r,bottom:i},a){let o=[],s=NaN;for(let{at:c,label:d}of e){let e=i+c*(r-" +
  "i);if(o.push(u(`line`,{class:`grid`,x1:t,x2:n,y1:e,y2:e})),Math.abs(e-s)<1.3*a)continue;le" +
  "t f={class:`tick`,x:t-8,y:e+a/3,\"text-anchor\":`end`};o.push(u(`text`,f,[l(d)])),s=e}return" +
  " o}function h({title:e,note:n},r,i){let o=r-4,s=n?`${e} (${n})`:e;return t(s,i)<=o?[s]:a(e" +
  ",o,i,3)}function te(e){let t=[];for(let[n,r]of e.slice(0,-1).entries()){let i=g(r,e[n+1]??" +
  "r);if(!i)continue;let[a,o]=i,s=t.at(-1),c=s?.at(-1);c&&c[0]===a[0]&&c[1]===a[1]?s?.push(o)" +
  ":t.push([a,o])}return t}function g(e,t){let[n,r]=[0,1];for(let i of[0,1]){let a=t[i]-e[i];" +
  "if(a===0&&(e[i]<0||e[i]>1))return null;if(a===0)continue;let o=[-e[i]/a,(1-e[i])/a];n=Math" +
  ".max(n,Math.min(...o)),r=Math.min(r,Math.max(...o))}if(!(n<=r))return null;let i=n=>n===0?" +
  "e:n===1?t:[e[0]+n*(t[0]-e[0]),e[1]+n*(t[1]-e[1])];return[i(n),i(r)]}function _([e,t]){let " +
  "n=[Math.max(0,e),Math.min(1,t)];return n[0]<=n[1]?n:null}function v(e){return Math.min(1,M" +
  "ath.max(0,e))}function ne({left:e,right:t,top:n,bottom:r}){return{x:n=>e+n*(t-e),y:e=>r+e*" +
  "(n-r)}}function re(e,{x:t,y:n}){let[r,i]=y(e);return[t(v(e.x))-15*r,n(v(e.y))+15*i]}functi" +
  "on y({x:e,y:t}){let n=e=>e<0?-1:+(e>1);return[n(e),n(t)]}function ie(e,t){let[n,r]=re(e,t)" +
  ",[i,a]=y(e),o=[u(`title`,{},[l(e.title)])];if(i!==0||a!==0){let e=Math.round(Math.atan2(-i" +
  "||0,-a)*180/Math.PI);o.push(u(`path`,{class:`arrow`,d:`M0 5V13M-3 10L0 13L3 10`,transform:" +
  "`rotate(${e})`}))}else o.push(...ae(e,t,n,r));return o.push(u(`path`,{class:`mark`,d:ce(e." +
  "shape,5.5)})),u(`g`,{class:`point ${e.colour}${e.faded?` faded`:``}${e.near?` near`:``}`,\"" +
  "data-point\":e.id,transform:`translate(${n.toFixed(1)} ${r.toFixed(1)})`},o)}function ae({w" +
  "hisker:e,across:t},{x:n,y:r},i,a){let o=e=>u(`path`,{class:`whisker`,d:e}),s=e&&_(e),c=t&&" +
  "_(t);return[...e&&s?[o(oe(s.map(e=>r(e)-a),e,(e,t)=>`${e} ${t}`))]:[],...t&&c?[o(oe(c.map(" +
  "e=>n(e)-i),t,(e,t)=>`${t} ${e}`))]:[]]}function oe(e,t,n){let[r=`0`,i=`0`]=e.map(e=>e.toFi" +
  "xed(1)),a=e=>`M${n(`-3`,e)}L${n(`3`,e)}`;return(t[0]>=0?a(r):``)+(t[1]<=1?a(i):``)+`M${n(`" +
  "0`,r)}L${n(`0`,i)}`}function se({kind:e,colour:t,faded:n,places:r},{x:i,y:a}){let o=`${e} " +
  "${t}${n?` faded`:``}`.trim(),s=e=>e.map(([e,t])=>`${i(e).toFixed(1)},${a(t).toFixed(1)}`)." +
  "join(` `);return e===`band`?[u(`polygon`,{class:o,points:s(r.map(([e,t])=>[v(e),v(t)]))})]" +
  ":te(r).map(e=>u(`polyline`,{class:o,points:s(e)}))}function ce(e,t){let n=(e,t,n)=>`M${Arr" +
  "ay.from({length:e},(r,i)=>{let a=n+2*Math.PI*i/e;return`${(t*Math.sin(a)).toFixed(2)} ${(-" +
  "t*Math.cos(a)).toFixed(2)}`}).join(`L`)}Z`,r=t,[i,a]=[1.25*r,.42*r];switch(e){case`circle`" +
  ":return`M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`;case`square`:return n(4," +
  "1.27*r,Math.PI/4);case`triangle`:return n(3,1.45*r,0);case`diamond`:return n(4,1.35*r,0);c" +
  "ase`down`:return n(3,1.45*r,Math.PI);case`pentagon`:return n(5,1.2*r,0);case`plus`:return`" +
  "M${-a} ${-i}H${a}V${-a}H${i}V${a}H${a}V${i}H${-a}V${a}H${-i}V${-a}H${-a}Z`;case`star`:retu" +
  "rn`M${Array.from({length:10},(e,t)=>{let n=(t%2==0?1.5:.75)*r,i=Math.PI*t/5;return`${(n*Ma" +
  "th.sin(i)).toFixed(2)} ${(-n*Math.cos(i)).toFixed(2)}`}).join(`L`)}Z`}}function le(e,n,r,i" +
  "){let a={marks:e.map(({x:e,y:t})=>he(e,t,6)),inked:n.flatMap(ge).map(([e,t])=>he(e,t,2.5))" +
  ",frame:r},o=e.filter(({label:e})=>e!==null).length,s=ue(e,a,i),c=2*s.size<o?/* @__PURE__ *" +
  "/ new Map:s,l=e.map((e,t)=>({...e,index:t})).filter(({label:e,index:t})=>e!==null&&!c.has(" +
  "t)).sort((e,t)=>e.x-t.x),u=e=>t(e,i.fontSize),d=[...c].map(([t,n])=>x(n,u(e[t]?.label??``)" +
  ",i.fontSize)),f=/* @__PURE__ */ new Map;for(let[e,{x:t,y:n,index:o}]of l.entries()){let s=" +
  "String(e+1),c=de({x:t,y:n,index:o},u(s),me(t,n,i,r),{...a,boxes:d,fontSize:i.fontSize});c&" +
  "&(d.push(x(c,u(s),i.fontSize)),f.set(o,{text:s,place:c,numbered:!0}))}return e.map(({label" +
  ":e},t)=>{let n=c.get(t);return n&&e!==null?{text:e,place:n,numbered:!1}:f.get(t)??null})}f" +
  "unction ue(e,n,r){let{fontSize:i}=r,a=.55*(n.frame.right-n.frame.left),o=e.map(({label:e})" +
  "=>e===null?1/0:t(e,i)),s=[...e.keys()].filter(e=>(o[e]??1/0)<=a),c=/* @__PURE__ */ new Map" +
  ";for(let t=0;t<4;t++){let a=/* @__PURE__ */ new Map,l=[];for(let t of s){let[s,c]=[e[t],o[" +
  "t]];if(!s||c===void 0)continue;let{x:u,y:d}=s,f=pe(u,d,r),p=de({x:u,y:d,index:t},c,f,{...n" +
  ",boxes:l,fontSize:i});p&&(l.push(x(p,c,i)),a.set(t,p))}(t===0||a.size>c.size)&&(c=a);let u" +
  "=s.filter(e=>!a.has(e));if(u.length===0)break;s=[...u,...s.filter(e=>a.has(e))]}return c}f" +
  "unction de({x:e,y:t,index:n},r,i,a){let{marks:o,inked:s,frame:c,boxes:l,fontSize:u}=a,d=o." +
  "filter((r,i)=>i!==n&&(r.left!==e-6||r.top!==t-6)),f=null;for(let{place:n,cost:a}of i){if(f" +
  "&&a>=f.cost)continue;let i=x(n,r,u);if(b({...i,left:i.left-8,right:i.right+8},l)>0||_e(i,c" +
  ")<_e(i,i)-1)continue;let o=b(i,d);if(o>72)continue;let p=fe(e,t,n,u).reduce((e,[t,n])=>e+M" +
  "ath.min(1,b(he(t,n,.5),[...l,...d])),0),m=a+o+2*b(i,s)+12*p;(!f||m<f.cost)&&(f={place:n,co" +
  "st:m})}return f?.place??null}function fe(e,t,n,r){let i=n.y-r/3;return Math.hypot(n.x-e,i-" +
  "t)<18?[]:ge([[e,t],[n.x,i]])}function pe(e,t,{fontSize:n,side:r,reach:i}){let a=t+n/3,o=[]" +
  ";for(let t=-i;t<=i;t+=4){let n=t>0?30:0,i=1.2*Math.abs(t);for(let s of[`start`,`end`,`midd" +
  "le`]){if(s===`middle`&&Math.abs(t)<16)continue;let c=s===(r===`left`?`end`:`start`)?0:s===" +
  "`middle`?12:40,l=s===`start`?9:s===`end`?-9:0,u=i+c+n;o.push({place:{x:e+l,y:a+t,anchor:s}" +
  ",cost:u})}}return o}function me(e,t,{fontSize:n},{left:r,right:i,top:a,bottom:o}){let s=[]" +
  ",c=Math.hypot(i-r,o-a);for(let r=13;r<c;r+=r<24?4:10){let i=Math.ceil(8+r/8);for(let a=0;a" +
  "<i;a++){let o=2*Math.PI*a/i,c={x:e+r*Math.sin(o),y:t-r*Math.cos(o)+n/3,anchor:`middle`};s." +
  "push({place:c,cost:3*r+10*(1-Math.cos(o))})}}return s}function he(e,t,n){return{left:e-n,r" +
  "ight:e+n,top:t-n,bottom:t+n}}function ge(e){return e.flatMap(([t,n],r)=>{let[i,a]=e[r+1]??" +
  "[t,n],o=Math.max(1,Math.ceil(Math.hypot(i-t,a-n)/5));return Array.from({length:o},(e,r)=>[" +
  "t+(i-t)*r/o,n+(a-n)*r/o])})}function b(e,t){let n=0;for(let r of t)n+=_e(e,r);return n}fun" +
  "ction x({x:e,y:t,anchor:n},r,i){let a=n===`start`?e:n===`end`?e-r:e-r/2;return{left:a,righ" +
  "t:a+r,top:t-i,bottom:t+.32*i}}function _e(e,t){return e.left>=t.right||t.left>=e.right||e." +
  "top>=t.bottom||t.top>=e.bottom?0:(Math.min(e.right,t.right)-Math.max(e.left,t.left))*(Math" +
  ".min(e.bottom,t.bottom)-Math.max(e.top,t.top))}function ve({points:e,lines:t,side:n},{widt" +
  "h:r,fontSize:i,labelReach:a},o,s){let c=ne(o),d=[...e].sort((e,t)=>Number(e.faded)-Number(" +
  "t.faded)),f=d.map(e=>{let[t,n]=re(e,c);return{x:t,y:n,label:e.label}}),p=t.filter(({kind:e" +
  "})=>e!==`band`).flatMap(e=>te(e.places)),m=d.flatMap(({x:e,whisker:t})=>t?te(t.map(t=>[e,t" +
  "])):[]),ee=le(f,[...p,...m].map(e=>e.map(([e,t])=>[c.x(e),c.y(t)])),o,{fontSize:i,side:n,r" +
  "each:a}),[h,g]=[[],[]],_=[],v=0;for(let[e,t]of d.entries()){let n=ee[e],r=f[e];if(t.label=" +
  "==null||!r)continue;if(!n){v++;continue}let{place:a,text:o,numbered:s}=n;s&&_.push({number" +
  ":o,point:t});let c=a.y-i/3,d={class:`leader`,x1:r.x,y1:r.y,x2:a.x,y2:c};Math.hypot(a.x-r.x" +
  ",c-r.y)>=18&&h.push(u(`line`,d));let p={class:ye(t),x:a.x,y:a.y};g.push(u(`text`,{...p,\"te" +
  "xt-anchor\":a.anchor,\"data-point\":t.id},[l(o)]))}_.sort((e,t)=>Number(e.number)-Number(t.nu" +
  "mber));let y=be(_,v,{below:s,width:r,fontSize:i});return{content:[...h,...g,y.content].joi" +
  "n(``),bottom:y.bottom}}function ye({faded:e}){return e?`label off`:`label`}function be(e,n" +
  ",{below:r,width:i,fontSize:a}){if(e.length+n===0)return{content:``,bottom:r};let o=n>0?[`a" +
  "nd ${n} more`]:[],d=Math.max(0,...e.map(({number:e})=>t(e,a))),{placed:f,height:p}=c([...e" +
  ".map(({point:e})=>e.label??``),...o],{width:i-4,fontSize:a,indent:d+6});return{content:f.f" +
  "latMap(({x:t,y:n,lines:i},o)=>{let{number:c,point:d}=e[o]??{},f=d===void 0?{}:{\"data-point" +
  "\":d.id},p=(e,t,i,o)=>u(`text`,{class:`listed`,x:2+t,y:r+n+i*s(a),\"text-anchor\":o,...f},[l(" +
  "e)]);return[...c===void 0?[]:[p(c,t-6,0,`end`)],...i.map((e,n)=>p(e,t,n))]}).join(``),bott" +
  "om:r+p+4}}function xe(e,t){let n=f(e,t),r=ne(n),i=[...e.points].sort((e,t)=>Number(t.faded" +
  ")-Number(e.faded)),a=p(e,t,n),o=ve({...e,points:i},t,n,a.bottom);return{content:[a.content" +
  ",...e.lines.flatMap(e=>se(e,r)),...i.map(e=>ie(e,r)),o.content].join(``),height:Math.ceil(" +
  "o.bottom)}}function S(e,t=3){if(!Number.isFinite(e))return Number.isNaN(e)?`NaN`:e<0?`-∞`:" +
  "`∞`;if(e===0)return`0`;let n=Math.abs(e);return n<1e-4||n>=1e9?e.toExponential(t-1):e.toFi" +
  "xed(Se(n,t))}function Se(e,t){let n=Number(e.toExponential(t-1).split(`e`)[1]);return Math" +
  ".max(0,t-1-n)}function C(e){return e<1e3?`${e} B`:w(e)<1e5?`${S(e/1e3)} kB`:w(e)<1e9?`${S(" +
  "e/1e6)} MB`:w(e)<0xe8d4a51000?`${S(e/1e9)} GB`:`${S(e/0xe8d4a51000)} TB`}function Ce(e){if" +
  "(e<1e4)return`${e}`;let t=w(e);return t<1e6?`${S(e/1e3)} k`:t<1e9?`${S(e/1e6)} M`:`${S(e/1" +
  "e9)} B`}function w(e){return Number(e.toPrecision(3))}function we(e){return e.toFixed(2)}f" +
  "unction Te(e){return e.replace(/\\.(\\d*?)0+(?!\\d)/,(e,t)=>t?`.${t}`:``)}function Ee(e){retu" +
  "rn e>=.9995?`${S(e)} J`:e>=9995e-7?`${S(1e3*e)} mJ`:`${S(1e6*e)} µJ`}function De(e){return" +
  " e<1e9?`${S(e/1e6)} M`:`${S(e/1e9)} G`}function Oe({shape:e},t,n){let{stored:r,memory:i,to" +
  "ken:a,speeds:o,fit:s,machine:c}=n,l=t.context>e.contextLength?`, more than it was made for" +
  "`:``;return{context:`${t.context} tokens${l}`,size:C(r.all),bits:`${n.scheme}: ${we(r.bits" +
  "PerWeight.linear)} bits a weight, ${we(r.bitsPerWeight.all)} over all`,memory:C(i.all),mem" +
  "oryParts:`weights ${C(i.weights)}, keys and values ${C(i.kvCache)}, the rest ${C(i.work+i." +
  "program)}`,fit:s.fits?`fits in the ${C(c.memoryBytes)} of the machine`:`does not fit in th" +
  "e ${C(c.memoryBytes)} of the machine`,speed:o?S(o.decode):`not timed`,basis:c.basis===`tab" +
  "le`?`predicted from timed kernels; prompt ${o?S(o.prompt):`–`} tokens a second`:`at most, " +
  "by ${c.basis}; prompt ${o?S(o.prompt):`–`}`,energy:Ee(a.joules),moved:`${C(a.bytes)} read," +
  " ${De(a.operations)} operations a token`,largestContext:s.largestContext===0?`none`:`${Ce(" +
  "s.largestContext)} tokens`,largestModel:`${Ce(s.largestParameters)} parameters`,source:`${" +
  "c.title}: ${S(c.limits.bytesPerSecond/1e9)} GB/s, ${S(c.limits.operationsPerSecond/0xe8d4a" +
  "51000)} TFLOP/s. ${c.source}`}}let ke={\"45nm\":{int8:.2+.1,float32:3.7+.9},\"7nm\":{int8:.1,f" +
  "loat32:1.69}},Ae={ddr:1300/8,gddr6:415/8,hbm2:350/8};function je({bytes:e,integerProducts:" +
  "t,floatProducts:n},{arithmetic:r,memory:i}){let{int8:a,float32:o}=ke[r];return 1e-12*(e*Ae" +
  "[i]+t*a+n*o)}var Me=class extends Error{code;hint;field;value;constructor(e,t,n={}){super(" +
  "t,n),this.name=new.target.name,this.code=e,this.hint=n.hint,this.field=n.field,this.value=" +
  "n.value}};function T(e){return class extends Me{constructor(t,n){super(e,t,n)}}}var E=clas" +
  "s extends T(`SHAPE`){},D=class extends T(`SCHEME`){},Ne=class extends T(`USAGE`){};new Uin" +
  "t32Array((/* @__PURE__ */ new Float32Array(1)).buffer);let O;function Pe(){if(O)return O;O" +
  "=/* @__PURE__ */ new Float32Array(65536);for(let e=0;e<65536;e++)O[e]=Fe(e);return O}funct" +
  "ion Fe(e){let t=e&32768?-1:1,n=e>>>10&31,r=e&1023;return n===0?t*r*2**-24:n===31?r?NaN:t*(" +
  "1/0):t*(1+r/1024)*2**(n-15)}function k(e,t=new Float32Array(e.length)){let n=Pe();for(let " +
  "r=0;r<e.length;r++)t[r]=n[e[r]];return t}function Ie(e){let t=0;if(e instanceof Float32Arr" +
  "ay){for(let n=0;n<e.length;n++)t+=e[n];return t}for(let n=0;n<e.length;n++)t+=e[n];return " +
  "t}function Le({columns:e,groupColumns:t}){return e/t}function Re(e,t){let n=t*Le(e);return" +
  "{scales:new Uint16Array(t),offsets:e.offset===`none`?null:new Uint16Array(t),subScales:e.s" +
  "ubScaleRange===null?null:new Int8Array(n),subOffsets:e.largestSubOffset===null?null:new Ui" +
  "nt8Array(n)}}var ze=class{format;blocks;columns;codes;stored;scales;offsets;constructor(e," +
  "t){this.format=e,this.blocks=t,this.columns=t*e.columns,this.codes=new Uint8Array(this.col" +
  "umns),this.stored=Re(e,t),this.scales=new Float32Array(t),this.offsets=this.stored.offsets" +
  "&&new Float32Array(t)}load(e,t){let{format:n,stored:r,offsets:i}=this;n.unpack(e,t,this.bl" +
  "ocks,this.codes,0,r,0),k(r.scales,this.scales),i&&r.offsets&&k(r.offsets,i)}decode(e,t){le" +
  "t{codes:n,scales:r,offsets:i}=this,{origin:a,step:o,offset:s}=this.format;this.forEachGrou" +
  "p((c,l,u,d,f)=>{let p=r[c]*l;if(!i){for(let r=d;r<f;r++)e[t+r]=p*(a+o*n[r]);return}let m=i" +
  "[c]*(s===`subtracted`?-u:u);for(let r=d;r<f;r++)e[t+r]=p*(a+o*n[r])+m})}units(e){let{codes" +
  ":t}=this,{origin:n,step:r}=this.format;this.forEachGroup((i,a,o,s,c)=>{for(let i=s;i<c;i++" +
  ")e[i]=a*(n+r*t[i])})}shifts(e){let t=this.format.offset===`subtracted`?-1:1;this.forEachGr" +
  "oup((n,r,i,a,o)=>{e.fill(t*i,a,o)})}forEachGroup(e){let{format:t,stored:n,blocks:r}=this,{" +
  "subScales:i,subOffsets:a}=n,{groupColumns:o}=t,s=Le(t);for(let t=0;t<r*s;t++){let n=i?i[t]" +
  ":1,r=a?a[t]:1,c=t*o;e(Math.floor(t/s),n,r,c,c+o)}}};function Be({columns:e,bytes:t},n){ret" +
  "urn n/e*t}function Ve(e,t){let{codes:n,outFeatures:r,inFeatures:i}=t,a=r*i/e.columns;Je(e," +
  "a,t),A(e,`code`,n,0,e.levels-1);let[o,s]=e.subScaleRange??[0,0];t.subScales&&A(e,`sub-scal" +
  "e`,t.subScales,o,s);let c=e.largestSubOffset??0;t.subOffsets&&A(e,`sub-offset`,t.subOffset" +
  "s,0,c);let l=new Uint8Array(a*e.bytes);return e.pack(n,0,t,0,a,l,0),l}function He(e,t){let" +
  " n=t.length/e.bytes,r=new Uint8Array(n*e.columns),i=Re(e,1);for(let a=0;a<n;a++)e.unpack(t" +
  ",a*e.bytes,1,r,a*e.columns,i,0);return r}function Ue(e,t){let n=t.length/e.bytes,r=Re(e,n)" +
  ",i=new Uint8Array(e.columns);for(let a=0;a<n;a++)e.unpack(t,a*e.bytes,1,i,0,r,a);return r}" +
  "function We(e,t,n=new Float32Array(t.length/e.bytes*e.columns)){let r=t.length/e.bytes,i=r" +
  "-r%16;return Ge(new ze(e,16),t,0,i/16,n),Ge(new ze(e,1),t,i,r-i,n),n}function Ge(e,t,n,r,i" +
  "){let{format:a,blocks:o,columns:s}=e;for(let c=0;c<r;c++)e.load(t,(n+c*o)*a.bytes),e.decod" +
  "e(i,n*a.columns+c*s)}function Ke({bytes:e,scaleAt:t,offsetAt:n},r){let i=r.length/e,a=new " +
  "Uint16Array(i),o=n===null?null:new Uint16Array(i);for(let s=0;s<i;s++){let i=s*e;a[s]=r[i+" +
  "t]|r[i+t+1]<<8,o&&n!==null&&(o[s]=r[i+n]|r[i+n+1]<<8)}return{scales:a,offsets:o}}function " +
  "qe({id:e,bytes:t,scaleAt:n,offsetAt:r},i,a,o){let s=i.slice(),c=(n,r,a)=>{let o=i.length/t" +
  ";if(r.length!==o)throw new E(`blocks of ${e}: expected ${o} ${n}, got ${r.length}`);for(le" +
  "t e=0;e<r.length;e++)s[e*t+a]=r[e]&255,s[e*t+a+1]=r[e]>>8};if(c(`scales`,a,n),o&&r===null)" +
  "throw new E(`blocks of ${e} have no offsets`);return o&&r!==null&&c(`offsets`,o,r),s}funct" +
  "ion Je(e,t,n){let r=Ye(e,t,t*Le(e));for(let[t,i]of Object.entries(r)){let r=n[t]?.length??" +
  "0;if(r!==i)throw new E(`blocks of ${e.id}: expected ${i} ${t}, got ${r}`)}}function Ye(e,t" +
  ",n){return{codes:t*e.columns,scales:t,offsets:e.offset===`none`?0:t,subScales:e.subScaleRa" +
  "nge===null?0:n,subOffsets:e.largestSubOffset===null?0:n}}function A({id:e},t,n,r,i){for(le" +
  "t a=0;a<n.length;a++)if(!(n[a]>=r&&n[a]<=i))throw new D(`blocks of ${e}: ${t} ${n[a]} at $" +
  "{a} is not from ${r} to ${i}`)}function j(e,t){return{rule:`round`,low:e,high:t,resolution" +
  ":1,shift:0,lowSlope:e,highSlope:t,passOutside:!1}}function Xe({values:e,origin:t,step:n},r" +
  ",i=0){return e?e[r]:t+n*(r-i)}function M(e,t){let n=Math.ceil(t/e.codesPerUnit)*e.bytesPer" +
  "Unit;return Math.ceil(n/4)*4}function Ze(e,t){for(let n=0;n<t.length;n++)if(t[n]>=e.levels" +
  ")throw new D(`packing ${e.packing}: code ${t[n]} at ${n} is not below ${e.levels}`)}functi" +
  "on Qe(e,t){let n=e.toLowerCase(),r=null,i=Math.max(2,Math.floor(n.length/3)),a=Math.min(i," +
  "n.length-1)+1;for(let e of t){if(Math.abs(n.length-e.length)>=a)continue;let t=tt(n,e.toLo" +
  "werCase());t>=a||(a=t,r=e)}if(r!==null||n.length<$e)return r;let[o,...s]=t.filter(e=>e.toL" +
  "owerCase().startsWith(n));return s.length===0?o??null:null}let $e=3;function et(e,t,n){let" +
  " r=Qe(e,t);return r===null?n:`did you mean ${r}?`}function tt(e,t){let n=[],r=Array.from({" +
  "length:t.length+1},(e,t)=>t);for(let i=1;i<=e.length;i++){let a=[i];for(let o=1;o<=t.lengt" +
  "h;o++){let s=r[o-1]+(e[i-1]===t[o-1]?0:1);a[o]=Math.min(r[o]+1,a[o-1]+1,s),i>1&&o>1&&e[i-1" +
  "]===t[o-2]&&e[i-2]===t[o-1]&&(a[o]=Math.min(a[o],n[o-2]+1))}n=r,r=a}return r[t.length]}let" +
  " nt=[1,4,6,8];function rt(e){return e?.mode===`static`||e?.mode===`integer`}function it(e)" +
  "{let{id:t,bits:n,levels:r,origin:i,step:a}=e;return Object.freeze({id:t,bits:n,levels:r,or" +
  "igin:i,step:a,zeroPoint:e.offset===`none`?`none`:`offset`,packing:null,scaleRule:at(e),tra" +
  "ining:null})}function at({offset:e,levels:t}){return e===`none`?t===2?`mean`:`magnitude`:`" +
  "range`}function N({unpackBlock:e,packBlock:t,...n}){let{columns:r,bytes:i,scaleAt:a,offset" +
  "At:o}=n;return Object.freeze({...n,unpack(t,n,s,c,l,u,d){for(let f=0;f<s;f++){let s=n+f*i;" +
  "u.scales[d+f]=ot(t,s+a),u.offsets&&o!==null&&(u.offsets[d+f]=ot(t,s+o)),e(t,s,c,l+f*r,u,d+" +
  "f)}},pack(e,n,s,c,l,u,d){for(let f=0;f<l;f++){let l=d+f*i;st(u,l+a,s.scales[c+f]),s.offset" +
  "s&&o!==null&&st(u,l+o,s.offsets[c+f]),t(e,n+f*r,s,c+f,u,l)}}})}let P={subScaleRange:null,l" +
  "argestSubOffset:null};function ot(e,t){return e[t]|e[t+1]<<8}function st(e,t,n){e[t]=n&255" +
  ",e[t+1]=n>>8}function F(e,t,n,r,i){for(let a=0;a<n;a++){let o=e[t+a];r[i+a]=o&15,r[i+n+a]=" +
  "o>>4}}function I(e,t,n,r,i){for(let a=0;a<n;a++)r[i+a]=e[t+a]&15|(e[t+n+a]&15)<<4}let ct=N" +
  "({id:`q1_0`,bits:1,columns:128,bytes:18,scaleAt:0,offsetAt:null,groupColumns:128,levels:2," +
  "origin:-1,step:2,offset:`none`,...P,unpackBlock:(e,t,n,r)=>{for(let i=0;i<16;i++){let a=e[" +
  "t+2+i];for(let e=0;e<8;e++)n[r+8*i+e]=a>>e&1}},packBlock:(e,t,n,r,i,a)=>{for(let n=0;n<16;" +
  "n++){let r=0;for(let i=0;i<8;i++)r|=e[t+8*n+i]<<i;i[a+2+n]=r}}}),lt=N({id:`q2_0`,bits:2,co" +
  "lumns:64,bytes:18,scaleAt:0,offsetAt:null,groupColumns:64,levels:4,origin:-1,step:1,offset" +
  ":`none`,...P,unpackBlock:(e,t,n,r)=>{for(let i=0;i<16;i++){let a=e[t+2+i];for(let e=0;e<4;" +
  "e++)n[r+4*i+e]=a>>2*e&3}},packBlock:(e,t,n,r,i,a)=>{for(let n=0;n<16;n++){let r=0;for(let " +
  "i=0;i<4;i++)r|=e[t+4*n+i]<<2*i;i[a+2+n]=r}}});function ut(e,t,n,r){for(let i=0;i<2;i++)for" +
  "(let a=0;a<32;a++){let o=e[t+32*i+a],s=r+128*i+a;n[s]=o&3,n[s+32]=o>>2&3,n[s+64]=o>>4&3,n[" +
  "s+96]=o>>6}}function dt(e,t,n,r){for(let i=0;i<2;i++)for(let a=0;a<32;a++){let o=t+128*i+a" +
  ";n[r+32*i+a]=e[o]&3|(e[o+32]&3)<<2|(e[o+64]&3)<<4|(e[o+96]&3)<<6}}let ft=N({id:`q2_k`,bits" +
  ":2,columns:256,bytes:84,scaleAt:80,offsetAt:82,groupColumns:16,levels:4,origin:0,step:1,of" +
  "fset:`subtracted`,subScaleRange:[0,15],largestSubOffset:15,unpackBlock:(e,t,n,r,{subScales" +
  ":i,subOffsets:a},o)=>{if(ut(e,t+16,n,r),i&&a)for(let n=0;n<16;n++)i[16*o+n]=e[t+n]&15,a[16" +
  "*o+n]=e[t+n]>>4},packBlock:(e,t,{subScales:n,subOffsets:r},i,a,o)=>{if(dt(e,t,a,o+16),n&&r" +
  ")for(let e=0;e<16;e++)a[o+e]=n[16*i+e]|r[16*i+e]<<4}}),pt=N({id:`q3_k`,bits:3,columns:256," +
  "bytes:110,scaleAt:108,offsetAt:null,groupColumns:16,levels:8,origin:-4,step:1,offset:`none" +
  "`,subScaleRange:[-32,31],largestSubOffset:null,unpackBlock:(e,t,n,r,{subScales:i},a)=>{ut(" +
  "e,t+32,n,r);for(let i=0;i<32;i++){let a=e[t+i];for(let e=0;e<8;e++)n[r+32*e+i]|=(a>>e&1)<<" +
  "2}if(i)for(let n=0;n<16;n++){let r=e[t+96+(n&7)]>>4*(n>>3)&15,o=e[t+104+(n&3)]>>2*(n>>2)&3" +
  ";i[16*a+n]=(r|o<<4)-32}},packBlock:(e,t,{subScales:n},r,i,a)=>{dt(e,t,i,a+32);for(let n=0;" +
  "n<32;n++){let r=0;for(let i=0;i<8;i++)r|=e[t+32*i+n]>>2<<i;i[a+n]=r}if(n){i.fill(0,a+96,a+" +
  "108);for(let e=0;e<16;e++){let t=n[16*r+e]+32;i[a+96+(e&7)]|=(t&15)<<4*(e>>3),i[a+104+(e&3" +
  ")]|=t>>4<<2*(e>>2)}}}}),mt=N({id:`q4_0`,bits:4,columns:32,bytes:18,scaleAt:0,offsetAt:null" +
  ",groupColumns:32,levels:16,origin:-8,step:1,offset:`none`,...P,unpackBlock:(e,t,n,r)=>F(e," +
  "t+2,16,n,r),packBlock:(e,t,n,r,i,a)=>I(e,t,16,i,a+2)}),ht=N({id:`q4_1`,bits:4,columns:32,b" +
  "ytes:20,scaleAt:0,offsetAt:2,groupColumns:32,levels:16,origin:0,step:1,offset:`added`,...P" +
  ",unpackBlock:(e,t,n,r)=>F(e,t+4,16,n,r),packBlock:(e,t,n,r,i,a)=>I(e,t,16,i,a+4)});functio" +
  "n gt(e,t,{subScales:n,subOffsets:r},i){if(!n||!r)return;let a=i*8;for(let i=0;i<4;i++){let" +
  " o=e[t+i],s=e[t+4+i],c=e[t+8+i];n[a+i]=o&63,r[a+i]=s&63,n[a+4+i]=c&15|o>>6<<4,r[a+4+i]=c>>" +
  "4|s>>6<<4}}function _t({subScales:e,subOffsets:t},n,r,i){if(!e||!t)return;let a=n*8;for(le" +
  "t n=0;n<4;n++){let o=e[a+4+n],s=t[a+4+n];r[i+n]=e[a+n]|o>>4<<6,r[i+4+n]=t[a+n]|s>>4<<6,r[i" +
  "+8+n]=o&15|(s&15)<<4}}let vt=N({id:`q4_k`,bits:4,columns:256,bytes:144,scaleAt:0,offsetAt:" +
  "2,groupColumns:32,levels:16,origin:0,step:1,offset:`subtracted`,subScaleRange:[0,63],large" +
  "stSubOffset:63,unpackBlock:(e,t,n,r,i,a)=>{gt(e,t+4,i,a);for(let i=0;i<4;i++)F(e,t+16+32*i" +
  ",32,n,r+64*i)},packBlock:(e,t,n,r,i,a)=>{_t(n,r,i,a+4);for(let n=0;n<4;n++)I(e,t+64*n,32,i" +
  ",a+16+32*n)}});function yt(e,t,n,r){for(let i=0;i<32;i++)n[r+i]|=(e[t+(i>>3)]>>(i&7)&1)<<4" +
  "}function bt(e,t,n,r){for(let i=0;i<4;i++){let a=0;for(let n=0;n<8;n++)a|=e[t+8*i+n]>>4<<n" +
  ";n[r+i]=a}}let xt=N({id:`q5_0`,bits:5,columns:32,bytes:22,scaleAt:0,offsetAt:null,groupCol" +
  "umns:32,levels:32,origin:-16,step:1,offset:`none`,...P,unpackBlock:(e,t,n,r)=>{F(e,t+6,16," +
  "n,r),yt(e,t+2,n,r)},packBlock:(e,t,n,r,i,a)=>{I(e,t,16,i,a+6),bt(e,t,i,a+2)}}),St=N({id:`q" +
  "5_1`,bits:5,columns:32,bytes:24,scaleAt:0,offsetAt:2,groupColumns:32,levels:32,origin:0,st" +
  "ep:1,offset:`added`,...P,unpackBlock:(e,t,n,r)=>{F(e,t+8,16,n,r),yt(e,t+4,n,r)},packBlock:" +
  "(e,t,n,r,i,a)=>{I(e,t,16,i,a+8),bt(e,t,i,a+4)}}),Ct=N({id:`q5_k`,bits:5,columns:256,bytes:" +
  "176,scaleAt:0,offsetAt:2,groupColumns:32,levels:32,origin:0,step:1,offset:`subtracted`,sub" +
  "ScaleRange:[0,63],largestSubOffset:63,unpackBlock:(e,t,n,r,i,a)=>{gt(e,t+4,i,a);for(let i=" +
  "0;i<4;i++)F(e,t+48+32*i,32,n,r+64*i);for(let i=0;i<32;i++){let a=e[t+16+i];for(let e=0;e<8" +
  ";e++)n[r+32*e+i]|=(a>>e&1)<<4}},packBlock:(e,t,n,r,i,a)=>{_t(n,r,i,a+4);for(let n=0;n<4;n+" +
  "+)I(e,t+64*n,32,i,a+48+32*n);for(let n=0;n<32;n++){let r=0;for(let i=0;i<8;i++)r|=e[t+32*i" +
  "+n]>>4<<i;i[a+16+n]=r}}}),wt=N({id:`q6_k`,bits:6,columns:256,bytes:210,scaleAt:208,offsetA" +
  "t:null,groupColumns:16,levels:64,origin:-32,step:1,offset:`none`,subScaleRange:[-128,127]," +
  "largestSubOffset:null,unpackBlock:(e,t,n,r,{subScales:i},a)=>{for(let i=0;i<2;i++){let a=t" +
  "+64*i,o=r+128*i;for(let r=0;r<32;r++){let s=e[a+r],c=e[a+32+r],l=e[t+128+32*i+r];n[o+r]=s&" +
  "15|(l&3)<<4,n[o+32+r]=c&15|(l&12)<<2,n[o+64+r]=s>>4|l&48,n[o+96+r]=c>>4|(l&192)>>2}}if(i)f" +
  "or(let n=0;n<16;n++)i[16*a+n]=e[t+192+n]},packBlock:(e,t,{subScales:n},r,i,a)=>{for(let n=" +
  "0;n<2;n++){let r=a+64*n,o=t+128*n;for(let t=0;t<32;t++){let[s,c]=[e[o+t],e[o+32+t]],[l,u]=" +
  "[e[o+64+t],e[o+96+t]];i[r+t]=s&15|(l&15)<<4,i[r+32+t]=c&15|(u&15)<<4;let d=s>>4|c>>4<<2|l>" +
  ">4<<4|u>>4<<6;i[a+128+32*n+t]=d}}if(n)for(let e=0;e<16;e++)i[a+192+e]=n[16*r+e]}}),Tt=N({i" +
  "d:`q8_0`,bits:8,columns:32,bytes:34,scaleAt:0,offsetAt:null,groupColumns:32,levels:256,ori" +
  "gin:-128,step:1,offset:`none`,...P,unpackBlock:(e,t,n,r)=>{for(let i=0;i<32;i++)n[r+i]=e[t" +
  "+2+i]^128},packBlock:(e,t,n,r,i,a)=>{for(let n=0;n<32;n++)i[a+2+n]=e[t+n]^128}}),Et=N({id:" +
  "`tq1_0`,bits:1.58,columns:256,bytes:54,scaleAt:52,offsetAt:null,groupColumns:256,levels:3," +
  "origin:-1,step:1,offset:`none`,...P,unpackBlock:(e,t,n,r)=>{for(let{byte:i,count:a,first:o" +
  ",apart:s,digits:c}of Dt)for(let l=0;l<a;l++){let a=e[t+i+l];for(let e=0;e<c;e++)a*=3,n[r+o" +
  "+s*e+l]=a>>8,a&=255}},packBlock:(e,t,n,r,i,a)=>{for(let{byte:n,count:r,first:o,apart:s,dig" +
  "its:c}of Dt)for(let l=0;l<r;l++){let r=0;for(let n=0;n<5;n++)r=3*r+(n<c?e[t+o+s*n+l]:0);i[" +
  "a+n+l]=Math.ceil(256*r/243)}}}),Dt=[{byte:0,count:32,first:0,apart:32,digits:5},{byte:32,c" +
  "ount:16,first:160,apart:16,digits:5},{byte:48,count:4,first:240,apart:4,digits:4}],Ot={q1_" +
  "0:ct,tq1_0:Et,tq2_0:N({id:`tq2_0`,bits:1.58,columns:256,bytes:66,scaleAt:64,offsetAt:null," +
  "groupColumns:256,levels:3,origin:-1,step:1,offset:`none`,...P,unpackBlock:(e,t,n,r)=>ut(e," +
  "t,n,r),packBlock:(e,t,n,r,i,a)=>dt(e,t,i,a)}),q2_0:lt,q2_k:ft,q3_k:pt,q4_0:mt,q4_1:ht,q4_k" +
  ":vt,q5_0:xt,q5_1:St,q5_k:Ct,q6_k:wt,q8_0:Tt},kt=Object.values(Ot),At=Object.freeze({id:`bi" +
  "nary`,bits:1,levels:2,origin:-1,step:2,zeroPoint:`none`,packing:`bits1`,scaleRule:`mean`,t" +
  "raining:{straightThrough:{...j(-1,1),resolution:.5,shift:.5,passOutside:!0},scale:`followe" +
  "d`,start:{of:`mean`,factor:1},topLevel:null,leastScale:1e-5}}),jt=Object.freeze({...At,id:" +
  "`elastic`,training:{straightThrough:{...j(-1,1),rule:`sign`},scale:`learned`,start:{of:`me" +
  "an`,factor:1},topLevel:1,leastScale:1e-5}});function Mt(e){return Object.freeze({id:`codeb" +
  "ook`,bits:e,levels:2**e,origin:0,step:1,codebook:!0,zeroPoint:`none`,packing:`bits${e}`,sc" +
  "aleRule:`magnitude`,training:null})}function Nt(e,t){return{straightThrough:j(e,t),scale:`" +
  "learned`,start:{of:`peak`,factor:1/t},topLevel:t,leastScale:1e-5}}function Pt(e){return{st" +
  "raightThrough:{...j(0,e),rule:`zero-point`},scale:`learned`,start:{of:`span`,factor:1/e},t" +
  "opLevel:null,leastScale:1e-4}}function L(e){return Object.freeze({id:`int`,bits:e,levels:2" +
  "**e,origin:0,step:1,zeroPoint:`integer`,packing:`bits${e}`,scaleRule:`range`,training:Pt(2" +
  "**e-1)})}function R(e){return Object.freeze({...L(e),id:`floatzero`,zeroPoint:`float16`,sc" +
  "aleRule:`span`,training:null})}function z(e){let t=2**(e-1);return Object.freeze({...L(e)," +
  "id:`sym`,origin:-t,zeroPoint:`none`,scaleRule:`magnitude`,training:Nt(-t,t-1)})}let Ft=Obj" +
  "ect.freeze({...z(8),id:`narrow`,levels:255,origin:-127,training:Nt(-127,127)}),It=Object.f" +
  "reeze({id:`nf4`,bits:4,levels:16,origin:-1,step:2/15,values:Float32Array.of(-1,-.6961928,-" +
  ".52507305,-.3949175,-.28444138,-.18477343,-.091050036,0,.0795803,.1609302,.2461123,.337915" +
  "24,.44070983,.562617,.72295684,1),zeroPoint:`none`,packing:`bits4`,scaleRule:`magnitude`,t" +
  "raining:null}),Lt=Object.freeze({...At,id:`svid`,inputScales:!0,training:null}),Rt=Object." +
  "freeze({...Lt,id:`onebit`,normalizedOutputs:!0});function zt(e,t,n){return{straightThrough" +
  ":{...j(-.99,.99),resolution:e,shift:t,lowSlope:-n,highSlope:n},scale:`learned`,start:{of:`" +
  "peak`,factor:1},topLevel:1,leastScale:1e-5}}let Bt=Object.freeze({id:`seq`,bits:2,levels:4" +
  ",origin:-.75,step:.5,zeroPoint:`none`,packing:`bits2`,scaleRule:`magnitude`,training:zt(2," +
  ".5,.75)}),Vt=Math.fround(2/3),Ht=Object.freeze({id:`seq`,bits:1.58,levels:3,origin:-Vt,ste" +
  "p:Vt,zeroPoint:`none`,packing:`trits5`,scaleRule:`magnitude`,training:{...zt(1.5,0,1),thir" +
  "ds:!0}}),B=[At,jt,Object.freeze({id:`ternary`,bits:1.58,levels:3,origin:-1,step:1,zeroPoin" +
  "t:`none`,packing:`trits5`,scaleRule:`mean`,training:{straightThrough:{...j(-1,1),passOutsi" +
  "de:!0},scale:`followed`,start:{of:`mean`,factor:1},topLevel:null,leastScale:1e-5}}),Ht,L(2" +
  "),L(3),L(4),L(8),z(2),Bt,z(3),z(4),z(8),Ft,R(2),R(3),R(4),R(8),It,Mt(2),Mt(3),Mt(4),Lt,Rt]" +
  ";function Ut(e,t,n,r){let i=Gt[n]?.read(e,t,r)??0,a=(1<<n)-1;for(let o=i,s=i*n;o<r.length;" +
  "o++,s+=n){let i=t+(s>>>3),c=e[i]|((s&7)+n>8?e[i+1]<<8:0);r[o]=c>>>(s&7)&a}}function Wt(e,t" +
  ",n,r){let i=Gt[t]?.write(e,n,r)??0;if(i===e.length)return;let a=(1<<t)-1;n.fill(0,r+i*t/8," +
  "r+Math.ceil(e.length*t/8));for(let o=i,s=i*t;o<e.length;o++,s+=t){let t=(e[o]&a)<<(s&7),i=" +
  "r+(s>>>3);n[i]|=t&255,t>255&&(n[i+1]|=t>>>8)}}let Gt={2:{read(e,t,n){let r=n.length&-4;for" +
  "(let i=0,a=t;i<r;i+=4){let t=e[a++];n[i]=t&3,n[i+1]=t>>>2&3,n[i+2]=t>>>4&3,n[i+3]=t>>>6}re" +
  "turn r},write(e,t,n){let r=e.length&-4;for(let i=0,a=n;i<r;i+=4){let n=e[i]&3|(e[i+1]&3)<<" +
  "2;t[a++]=n|(e[i+2]&3)<<4|e[i+3]<<6}return r}},3:{read(e,t,n){let r=n.length&-8;for(let i=0" +
  ",a=t;i<r;i+=8,a+=3){let t=e[a]|e[a+1]<<8|e[a+2]<<16;n[i]=t&7,n[i+1]=t>>>3&7,n[i+2]=t>>>6&7" +
  ",n[i+3]=t>>>9&7,n[i+4]=t>>>12&7,n[i+5]=t>>>15&7,n[i+6]=t>>>18&7,n[i+7]=t>>>21}return r},wr" +
  "ite(e,t,n){let r=e.length&-8;for(let i=0,a=n;i<r;i+=8,a+=3){let n=e[i]&7|(e[i+1]&7)<<3|(e[" +
  "i+2]&7)<<6,r=(e[i+3]&7)<<9|(e[i+4]&7)<<12,o=(e[i+5]&7)<<15|(e[i+6]&7)<<18,s=n|r|o|(e[i+7]&" +
  "7)<<21;t[a]=s,t[a+1]=s>>>8,t[a+2]=s>>>16}return r}},4:{read(e,t,n){let r=n.length&-2;for(l" +
  "et i=0,a=t;i<r;i+=2){let t=e[a++];n[i]=t&15,n[i+1]=t>>>4}return r},write(e,t,n){let r=e.le" +
  "ngth&-2;for(let i=0,a=n;i<r;i+=2)t[a++]=e[i]&15|e[i+1]<<4;return r}},8:{read(e,t,n){return" +
  " n.set(e.subarray(t,t+n.length)),n.length},write(e,t,n){return t.set(e,n),e.length}}};func" +
  "tion V(e,t){return Object.freeze({packing:e,codesPerUnit:t===3?8:8/t,bytesPerUnit:t===3?3:" +
  "1,levels:1<<t,pack(e,n,r,i,a){Wt(e.subarray(n,n+r),t,i,a)},unpack(e,n,r,i,a){Ut(e,n,t,i.su" +
  "barray(a,a+r))}})}let Kt=V(`bits1`,1),qt=V(`bits2`,2),Jt=V(`bits3`,3),Yt=V(`bits4`,4),Xt=V" +
  "(`bits8`,8),Zt=[1,3,9,27,81],Qt={bits1:Kt,trits5:Object.freeze({packing:`trits5`,codesPerU" +
  "nit:5,bytesPerUnit:1,levels:3,pack(e,t,n,r,i){for(let a=0;a<n;a+=5){let o=0;for(let r=0;r<" +
  "5&&a+r<n;r++)o+=e[t+a+r]*Zt[r];r[i+a/5]=o}},unpack(e,t,n,r,i){for(let a=0;a<n;a+=5){let o=" +
  "e[t+a/5];for(let e=0;e<5&&a+e<n;e++)r[i+a+e]=o%3,o=Math.floor(o/3)}}}),bits2:qt,bits3:Jt,b" +
  "its4:Yt,bits8:Xt},$t=[8,2**20],en=/^[it]?q\\d/i,tn=/\\d+(?:\\.\\d+)?/,nn=/g(\\d+)/i,rn=/(\\d+)g/" +
  "i;function H(e){let t=[...new Set(B.map(e=>e.bits))].sort((e,t)=>e-t),n=`schemes are w<bit" +
  "s>[g<group size>][-<grid>] with ${on(t)} bits`;if(en.test(e)){let t=kt.map(({id:e})=>e),n=" +
  "`types of blocks are ${t.join(`, `)}`;return`${et(e,t,``)} ${n}`.trim()}let r=tn.exec(e);i" +
  "f(!r)return`${n}, such as w4g128, w2g64, w3-sym, w1.58 or w1`;let i=Number(r[0]),a=t.reduc" +
  "e((e,t)=>Math.abs(t-i)<Math.abs(e-i)?t:e),o=nn.exec(e)??rn.exec(e),s=/sym/i.test(e)&&!/asy" +
  "m/i.test(e),c=B.some(e=>e.bits===a&&e.id===`sym`),l=s&&c?`-sym`:``;return`did you mean w${" +
  "a}${o?an(o[1]):``}${l}? ${n}`}function an(e){let[t,n]=$t;return`g${Math.min(n,Math.max(t,N" +
  "umber(e)))}`}function on(e){return`${e.slice(0,-1).join(`, `)} or ${e.at(-1)}`}function sn" +
  "(e,t){let n=e.length>t?`${e.slice(0,t-3)}...`:e;return JSON.stringify(n).replace(/[\\u007f-" +
  "\\u009f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]/g,e=>`\\\\u${e.charCodeAt(0).toString(16).padS" +
  "tart(4,`0`)}`)}function cn(e){if(typeof e==`string`)return sn(e,60);if(typeof e!=`object`|" +
  "|!e)return String(e);if(!Array.isArray(e))return`an object`;let t=e.length<60&&e.every(e=>" +
  "typeof e!=`object`),n=t?`[${e.map(cn).join(`, `)}]`:``;return t&&n.length<=60?n:`a list of" +
  " ${e.length} ${e.length===1?`entry`:`entries`}`}let[ln,un]=$t,dn=/^w(\\d+(?:\\.\\d+)?)(?:g(\\d" +
  "+))?((?:-[a-z]+?(?:(?<!a)\\d)?)*?)(?:-s(\\d+(?:\\.\\d+)?))?(?:a(\\d+)(?:-(static|integer|sign))" +
  "?)?$/,fn=[.01,10],pn=new Map(kt.map(e=>[e.id,mn(e)]));function mn(e){let{id:t,groupColumns" +
  ":n}=e,r=it(e);return Object.freeze({id:t,grid:r,packing:null,groupSize:n,activation:null,s" +
  "parse:null,blocks:e})}function hn(e){let t=e.slice(0,100),n=pn.get(t.toLowerCase());if(n&&" +
  "t===e)return n;let r=dn.exec(t);if(!r||t!==e)throw new D(`${cn(e)} is not a scheme id`,{hi" +
  "nt:H(t)});let[,i,a,o=``,s,c,l=`token`]=r,u=En(e,Number(i),o.split(`-`).slice(1)),d=_n(e,c," +
  "l),f=a===void 0?null:Number(a);if(f!==null&&(f<ln||f>un))throw new D(`scheme ${e}: a group" +
  " of ${a} is outside ${ln} to ${un}`,{hint:H(e)});if(u.inputScales&&(f!==null||d!==null))th" +
  "row new D(`scheme ${e}: the grid has no groups and takes float inputs`,{hint:`use ${U(u,nu" +
  "ll).id}`});if(u.codebook&&f!==null)throw new D(`scheme ${e}: a codebook belongs to a row, " +
  "which has no groups`,{hint:`use ${U(u,null,d).id}`});let p=U(u,f,d,gn(e,s,u));if(l===`inte" +
  "ger`&&!Cn(p))throw new D(`scheme ${e}: integer outputs need 8-bit weights with a scale a r" +
  "ow`,{hint:`use w8-narrowa8-integer`});return p}function gn(e,t,n){if(t===void 0)return nul" +
  "l;let[r,i]=fn,a=Math.round(Number(t)*100)/100;if(a<r||a>i)throw new D(`scheme ${e}: ${t} %" +
  " of the weights beside the codes are outside ${r} to ${i} %`);if(n.codebook)return a;throw" +
  " new D(`scheme ${e}: only weights with a codebook can have others beside them`,{hint:`use " +
  "w3-codebook-s0.45, or w4-codebook-s0.45`})}function _n(e,t,n){if(t===void 0)return null;le" +
  "t r=t=>e.replace(/a\\d+(-(static|integer|sign))?$/,t),i=nt.find(e=>String(e)===t);if(i===vo" +
  "id 0)throw new D(`scheme ${e}: activations of ${t} bits are not offered`,{hint:`use a1, a4" +
  ", a6 or a8: ${r(`a8`)}`});let a={bits:i,mode:n};if(n===`sign`&&i!==1)throw new D(`scheme $" +
  "{e}: signs have 1 bit, not ${i}`,{hint:`use ${r(`a1-sign`)}, or ${r(`a${i}`)}`});if(rt(a)&" +
  "&i!==8)throw new D(`scheme ${e}: activations by fixed ranges have 8 bits, not ${i}`,{hint:" +
  "`use ${r(`a${i}`)}, or ${r(`a8-${n}`)}`});return a}function U(e,t,n=null,r=null){let i=Tn(" +
  "e.bits)===e,a=`${`${`w${e.bits}${t===null?``:`g${t}`}`}${i?``:`-${e.id}`}${r===null?``:`-s" +
  "${r}`}`}${wn(n)}`;return Object.freeze({id:a,grid:e,packing:Qt[e.packing],groupSize:t,acti" +
  "vation:n,sparse:r,blocks:null})}function vn(e){return e.sparse===null?e:U(e.grid,e.groupSi" +
  "ze,e.activation)}function yn({sparse:e},t,n){return Math.round(t*n*(e??0)/100)}function W(" +
  "e){if(e.blocks===null)return e;throw new D(`codes of the scheme ${e.id} lie in blocks, tog" +
  "ether with scales`)}function bn(e){if(e.blocks)return e;throw new D(`codes of the scheme $" +
  "{e.id} lie by themselves, not in blocks`)}function xn({id:e,blocks:t},n){if(!t||n%t.column" +
  "s===0)return;let r=kt.filter(({columns:e})=>n%e===0).map(e=>e.id).join(`, `);throw new D(`" +
  "scheme ${e}: rows of ${n} columns are no whole number of its blocks of ${t.columns}`,{hint" +
  ":r?`for these rows use one of ${r}`:`no block format fits these rows; use a scheme such as" +
  " w4g32`})}function Sn(e,t){return e.groupSize===null?1:Math.ceil(t/e.groupSize)}function C" +
  "n({grid:e,groupSize:t}){return t===null&&e.bits===8&&e.zeroPoint===`none`&&e.step===1}func" +
  "tion wn(e){if(!e)return``;let{bits:t,mode:n}=e;return`a${t}${n===`token`?``:`-${n}`}`}func" +
  "tion Tn(e){return B.find(t=>t.bits===e)}function En(e,t,n){let r=Tn(t);if(!r){let n=H(e);t" +
  "hrow new D(`scheme ${e}: ${t} bits is not offered`,{hint:n})}let i=n.filter(e=>e!==r.id&&(" +
  "e!==`asym`||r.zeroPoint===`none`));if(i.length===0)return r;let a=B.find(e=>e.bits===t&&e." +
  "id===i[0]);if(i.length>1||!a){let n=B.filter(e=>e.bits===t).map(e=>e.id),r=`${et(i[0],n,``" +
  ")} ${t}-bit grids: ${n.join(`, `)}`;throw new D(`scheme ${e}: no ${t}-bit grid \"${i.join(`" +
  "-`)}\"`,{hint:r.trim()})}return a}function Dn(e){return e<2**16?`u16`:`u32`}function On(e,t" +
  ",n){if(e===0)return 0;let r=Dn(n)===`u16`?2:4;return t*r+e*(r+2)}function kn({counts:e}){l" +
  "et t=new Int32Array(e.length+1);for(let[n,r]of e.entries())t[n+1]=t[n]+r;return t}function" +
  " An(e,t,n){let r=k(n.values),i=kn(n);for(let a=0;a+1<i.length;a++)for(let o=i[a];o<i[a+1];" +
  "o++)e[a*t+n.columns[o]]+=r[o]}let jn={blocks:0,codes:0,scales:0,zeros:0,inputScales:0,code" +
  "book:0,sparse:0,activations:0};function Mn(e,t,n){let r=Nn(e,n),i=e.blocks?{...jn,blocks:t" +
  "*r}:{...Pn(e,t,n),codes:t*r};return{rowBytes:r,...i,all:Ie(Object.values(i))}}function Nn(" +
  "e,t){return xn(e,t),e.blocks?Be(e.blocks,t):M(e.packing,t)}function Pn(e,t,n){let r=t*Sn(e" +
  ",n);return{...jn,scales:e.grid.codebook?0:r*2,zeros:Fn(e,r),codebook:e.grid.codebook?t*e.g" +
  "rid.levels*2:0,sparse:On(yn(e,t,n),t,n),inputScales:e.grid.inputScales?n*2:0,activations:{" +
  "token:0,sign:0,static:8,integer:16}[e.activation?.mode??`token`]}}function Fn({grid:e,pack" +
  "ing:t},n){return e.zeroPoint===`none`?0:e.zeroPoint===`integer`?M(t,n):n*2}var In=class e{" +
  "scheme;outFeatures;inFeatures;parts;constructor(t,n,r,i){let a=e.sizes(t,n,r);K(`blocks`,i" +
  ".blocks?.byteLength??0,a.blocks),K(`codes`,i.codes.byteLength,a.codes),K(`scales`,i.scales" +
  ".byteLength,a.scales),K(`zeros`,i.zeros?.byteLength??0,a.zeros),K(`input scales`,i.inputSc" +
  "ales?.byteLength??0,a.inputScales),K(`codebook`,i.codebook?.byteLength??0,a.codebook),K(`s" +
  "parse weights`,Rn(i.sparse),a.sparse),this.scheme=t,this.outFeatures=n,this.inFeatures=r,t" +
  "his.parts=i}static sizes(e,t,n){return Mn(e,t,n)}static pack(t,n){let{outFeatures:r,inFeat" +
  "ures:i}=n,a=W(t),{packing:o}=a,s=e.sizes(t,r,i),c=Hn(a,r,i,n.codes),l=n.zeros?Un(o,n.zeros" +
  ",s.zeros):null;return new e(t,r,i,{codes:c,scales:n.scales,zeros:l,inputScales:n.inputScal" +
  "es,codebook:n.codebook,sparse:n.sparse,activations:null})}static packBlocks(t,n){let{outFe" +
  "atures:r,inFeatures:i}=n,{blocks:a}=bn(t);return xn(t,i),e.ofBlocks(t,r,i,Ve(a,n))}static " +
  "ofBlocks(t,n,r,i){return new e(t,n,r,{...Vn,blocks:i})}withoutSparse(){let{scheme:t,outFea" +
  "tures:n,inFeatures:r,parts:i}=this,a={...i,sparse:void 0};return new e(vn(t),n,r,a)}withAc" +
  "tivations(t,n){return new e(t,this.outFeatures,this.inFeatures,{...this.parts,activations:" +
  "n})}withScales(t,n=null){let{scheme:r,parts:i,outFeatures:a,inFeatures:o}=this;if(r.blocks" +
  "&&i.blocks){let s=qe(r.blocks,i.blocks,t,n);return e.ofBlocks(r,a,o,s)}return new e(this.s" +
  "cheme,this.outFeatures,this.inFeatures,{...this.parts,scales:t})}withCodes(t){let{scheme:n" +
  ",parts:r,outFeatures:i,inFeatures:a}=this,o=Hn(W(n),i,a,t);return new e(n,i,a,{...r,codes:" +
  "o})}get sizeBytes(){return e.sizes(this.scheme,this.outFeatures,this.inFeatures).all}get b" +
  "itsPerWeight(){return this.sizeBytes*8/(this.outFeatures*this.inFeatures)}unpackCodes(){le" +
  "t{outFeatures:e,inFeatures:t,scheme:n,parts:r}=this;if(n.blocks)return He(n.blocks,G(this)" +
  ");let i=M(n.packing,t),a=new Uint8Array(e*t);for(let o=0;o<e;o++)n.packing.unpack(r.codes," +
  "o*i,t,a,o*t);return a}blockScales(){return Ke(bn(this.scheme).blocks,G(this))}unpackBlockS" +
  "cales(){return Ue(bn(this.scheme).blocks,G(this))}unpackZeros(){let{zeros:e,scales:t}=this" +
  ".parts;if(!e)return null;if(e instanceof Uint16Array)return k(e);let n=new Uint8Array(t.le" +
  "ngth);return W(this.scheme).packing.unpack(e,0,n.length,n,0),n}operand(){let{scheme:e,outF" +
  "eatures:t,inFeatures:n}=this,{grid:r,groupSize:i}=e,a=Nn(e,n),o={outFeatures:t,inFeatures:" +
  "n,groupSize:i??n,rowBytes:a};if(e.blocks){let{id:t,columns:n}=e.blocks;return{...o,format:" +
  "t,blockColumns:n,blocks:G(this)}}let{codebook:s}=this.parts,c=s??r.values;return{...o,layo" +
  "ut:e.packing,codes:this.parts.codes,scales:s?new Uint16Array(t).fill(Bn):this.parts.scales" +
  ",zeroPoints:this.parts.zeros,origin:r.origin,step:r.step,...c&&{table:c}}}dequantize(e=new" +
  " Float32Array(this.outFeatures*this.inFeatures)){let{inFeatures:t,outFeatures:n,scheme:r}=" +
  "this;if(r.blocks)return We(r.blocks,G(this),e);let{codebook:i,sparse:a}=this.parts;if(i)re" +
  "turn Ln(this,i,e),a&&An(e,t,a),e;let{grid:o,groupSize:s,packing:c}=r,l=s??t,u=k(this.parts" +
  ".scales),d=this.unpackZeros(),f=M(c,t),p=new Uint8Array(t);for(let r=0,i=0,a=0;r<n;r++){c." +
  "unpack(this.parts.codes,r*f,t,p,0);for(let n=0;n<t;a++){let r=u[a],s=d?d[a]:0,c=Math.min(t" +
  ",n+l);for(;n<c;n++,i++)e[i]=r*Xe(o,p[n],s)}}return zn(e,this.parts.inputScales),e}};functi" +
  "on Ln(e,t,n){let{inFeatures:r,scheme:i}=e,{levels:a}=i.grid,o=k(t);for(let[t,i]of e.unpack" +
  "Codes().entries())n[t]=o[Math.floor(t/r)*a+i]}function Rn(e){return e?Ie([e.counts,e.colum" +
  "ns,e.values].map(({byteLength:e})=>e)):0}function zn(e,t){if(!t)return;let n=k(t);for(let " +
  "t=0;t<e.length;t++)e[t]*=n[t%n.length]}let Bn=15360,Vn={codes:/* @__PURE__ */ new Uint8Arr" +
  "ay,scales:/* @__PURE__ */ new Uint16Array,zeros:null,activations:null};function Hn({packin" +
  "g:e},t,n,r){K(`unpacked codes`,r.length,t*n),Ze(e,r);let i=M(e,n),a=new Uint8Array(t*i);fo" +
  "r(let o=0;o<t;o++)e.pack(r,o*n,n,a,o*i);return a}function G({parts:e}){return e.blocks??/*" +
  " @__PURE__ */ new Uint8Array}function Un(e,t,n){if(t instanceof Uint16Array)return t;Ze(e," +
  "t);let r=new Uint8Array(n);return e.pack(t,0,t.length,r,0),r}function K(e,t,n){if(t!==n)th" +
  "row new E(`quantized weight: expected ${n} bytes of ${e}, got ${t}`)}let Wn={f32:4,bf16:2," +
  "f16:2};function q(e){return Object.hasOwn(Wn,e)}let Gn=/* @__PURE__ */ new Map;function Kn" +
  "(e){let t=Gn.get(e)??hn(e);return Gn.set(e,t),t}function J(e,t,n){return q(e)?Wn[e]*t*n:In" +
  ".sizes(Kn(e),t,n).all}let qn={attention:`linear`,mlp:`linear`,experts:`linear`,router:`oth" +
  "ers`,embedding:`embedding`,head:`head`};function Y({kind:e,storage:t},n){return t??n[qn[e]" +
  "]}function Jn({kind:e}){return qn[e]===`linear`}function Yn(e,t){let n={linear:0,embedding" +
  ":0,head:0,others:e.others*Wn[t.others]},r=0;for(let i of e.parts){let{outFeatures:e,inFeat" +
  "ures:a,count:o}=i,s=o*J(Y(i,t),e,a);n[qn[i.kind]]+=s,Jn(i)&&(r+=e*a*o)}let i=n.linear+n.em" +
  "bedding+n.head+n.others,a={linear:8*n.linear/r,all:8*i/e.parameters};return{...n,all:i,bit" +
  "sPerWeight:a}}function Xn({kvHeads:e,headDim:t},n){let r={f32:4*t,f16:2*t,i8:t+4,i4:Math.c" +
  "eil(t/2)+4}[n];return 2*e*r}let Zn=9e7;function Qn(e,t){let n=Yn(e,t.storage).all,r=e.pass" +
  "es*Xn(e,t.kvCache)*t.context,i=Math.min(512,t.context),{hiddenSize:a,intermediateSize:o,he" +
  "ads:s,headDim:c,vocabularySize:l}=e,u=4*(i*(3*a+2*o+2*s*c)+l);return{weights:n,kvCache:r,w" +
  "ork:u,program:Zn,all:n+r+u+Zn}}function $n(e,t){let{storage:n}=t,r=e.others*{f32:4,bf16:2," +
  "f16:2}[n.others],i=0,a=0;for(let t of e.parts){let{kind:e,outFeatures:o,inFeatures:s,used:" +
  "c}=t,l=Y(t,n);r+=c*J(l,o,s),e===`embedding`&&(r+=J(l,1,s));let u=c*o*s;q(l)?a+=u:i+=u}let " +
  "o=er(e,t.context);a+=2*e.heads*e.headDim*o;let s=Xn(e,t.kvCache)*(o+e.passes);return{weigh" +
  "tBytes:r,kvBytes:s,bytes:r+s,integerProducts:i,floatProducts:a,operations:2*(i+a)}}functio" +
  "n er({spans:e},t){return e.reduce((e,{window:n,blocks:r})=>e+r*Math.min(n??t,t),0)}functio" +
  "n tr(e,t,{bytesPerSecond:n,operationsPerSecond:r}){let i=$n(e,t),a=$n(e,{...t,context:256}" +
  "),o=(e,t)=>Math.max(e/n,t/r);return{decode:1/o(i.bytes,i.operations),prompt:512/o(a.bytes," +
  "512*a.operations)}}function nr(e,t,n){let r=$n(e,t);return{stored:Yn(e,t.storage),memory:Q" +
  "n(e,t),token:{...r,joules:je(r,n)}}}function rr(e,t,n){let r=Qn(e,t),i=e.passes*Xn(e,t.kvC" +
  "ache),a=n-(r.all-r.kvCache),o=r.all-r.program;return{memoryBytes:n,fits:r.all<=n,largestCo" +
  "ntext:Math.max(0,Math.floor(a/i)),largestParameters:Math.max(0,Math.floor(e.parameters*(n-" +
  "r.program)/o))}}function ir(e,t,n){let r=ar(e.map(e=>e.x)),i=ar(e.map(e=>e.y)),a=new Map(e" +
  ".map(e=>[`${e.x} ${e.y}`,e.seconds]));return a.size===0||a.size!==r.length*i.length?null:o" +
  "r(r,t,e=>or(i,n,t=>a.get(`${e} ${t}`)??NaN))}function ar(e){return[...new Set(e)].sort((e," +
  "t)=>e-t)}function or(e,t,n){let r=e.findIndex(e=>e>=t),i=e.length-1,a=r<0?i:Math.max(r,Mat" +
  "h.min(1,i));if(a===0)return n(e[0])*t/e[0];let[o,s]=[e[a-1],e[a]],[c,l]=[n(o),n(s)],u=c+(t" +
  "-o)/(s-o)*(l-c);return Math.max(u,l*Math.min(1,t/s))}function sr(e,t){let n=[...e].sort((e" +
  ",t)=>e.size-t.size);if(n.length<2)return n[0]?.seconds??null;let r=n.findIndex(e=>e.size>=" +
  "t),i=r<0?n.length-1:Math.max(1,r),[a,o]=[n[i-1],n[i]],s=(t-a.size)/(o.size-a.size);return " +
  "a.seconds+s*(o.seconds-a.seconds)}function cr(e,t){let[n]=e.runs,r=t===void 0?n:e.runs.fin" +
  "d(e=>e.threads===t);if(r)return r;throw new Ne(`nothing was measured with ${t} threads on " +
  "${e.machine.processor}`,{hint:`measured: ${e.runs.map(e=>e.threads).join(`, `)}`,field:`th" +
  "reads`,value:t})}function lr(e,t,n,r=`median`){let{tokens:i,outFeatures:a,inFeatures:o}=n," +
  "s=ur(e,t,i),c=e.products.filter(e=>e.storage===s&&e.tokens===i).map(e=>({x:e.outFeatures,y" +
  ":e.inFeatures,seconds:e.seconds[r]})),l=s===null?null:ir(c,a,o);if(l===null||s===null)thro" +
  "w new Ne(`the machine's table has no products of ${t}`,{hint:\"measure anew, without `quick" +
  "`: `fewbit measure-machine`\"});return s===t?l:l*X(t)/X(s)}function X(e){return J(e,1,4096)" +
  "}function ur(e,t,n){let r=[...new Set(e.products.flatMap(e=>e.tokens===n?[e.storage]:[]))]" +
  ";if(r.includes(t))return t;if(q(t))return null;let{packing:i}=Kn(t),a=X(t),o=e=>Math.abs(M" +
  "ath.log(X(e)/a));return r.filter(e=>i===null||q(e)?!1:Kn(e).packing?.packing===i.packing)." +
  "sort((e,t)=>o(e)-o(t))[0]??null}function dr(e,t,{kvCache:n,context:r},i){let a=e.attention" +
  ".filter(e=>e.kvCache===n).map(e=>({x:e.elements,y:1/e.group,seconds:e.seconds[i]})),o=t.kv" +
  "Heads/t.heads;return t.spans.reduce((e,{window:n,blocks:i})=>{let s=Math.max(1,Math.min(n?" +
  "?r,r)),c=t.heads*t.headDim*s;return e+i*(ir(a,c,o)??0)},0)}function fr(e,t,n,{threads:r,ta" +
  "ke:i=`median`}={}){let a=cr(e,r),o={linear:0,head:0};for(let e of t.parts){if(e.used===0)c" +
  "ontinue;let t=e.kind===`head`||e.kind===`embedding`,r=Y(e,n.storage),s=e.used*lr(a,r,{toke" +
  "ns:1,...e},i);o[t?`head`:`linear`]+=s}let{kvCache:s,context:c}=n,l=e=>dr(a,t,{kvCache:s,co" +
  "ntext:e},i),u=Math.max(0,l(c)-l(Math.min(c,16))),d=pr(a,t,1,i);return{...o,attention:u,res" +
  "t:d,all:o.linear+o.head+u+d}}function pr(e,t,n,r){let i=e.blocks.filter(e=>e.tokens===n).m" +
  "ap(e=>({size:e.hiddenSize,seconds:e.seconds[r]})),a=e.steps.filter(e=>e.tokens===n).map(e=" +
  ">({size:e.vocabularySize,seconds:e.seconds[r]})),o=sr(i,t.hiddenSize)??0;return t.passes*o" +
  "+(sr(a,t.vocabularySize)??0)}function mr(e,t,{storage:n},{threads:r,take:i=`median`}={}){l" +
  "et a=cr(e,r);return t.parts.reduce((e,t)=>{if(t.used===0)return e;let r=t.kind===`head`||t" +
  ".kind===`embedding`,o={...t,tokens:r?1:128};return e+t.used*lr(a,Y(t,n),o,i)},0)+pr(a,t,12" +
  "8,i)}function hr(e,t,n,r={}){return{decode:1/fr(e,t,n,r).all,prompt:128/mr(e,t,n,r)}}let g" +
  "r=[[16,`#1b1b1f`,`#f4f4f5`],[8,`#4b008d`,`#c9a6ff`],[4,`#2d53b0`,`#6f93ff`],[3,`#0a7454`,`" +
  "#2fb67c`],[2,`#b45a1e`,`#dd7d3c`],[1.58,`#dc509b`,`#ff9dd0`],[1,`#ad9109`,`#ebd04c`]];func" +
  "tion Z(e){let[t=e]=gr.map(([e])=>e).filter(t=>t<=e);return`bits-${String(t).replace(`.`,`_" +
  "`)}`}_r(`--paper: #ffffff; --ink: #18181b; --faint: #62626b; --line: #e4e4e7; --raised: #f" +
  "4f4f5; --accent: #1d4ed8; --bad: #b91c1c`,1),_r(`--paper: #131316; --ink: #ececee; --faint" +
  ": #a1a1aa; --line: #313136; --raised: #1e1e22; --accent: #7ab0ff; --bad: #f87171`,2);funct" +
  "ion _r(e,t){return[e,...gr.map(e=>`--${Z(e[0])}: ${e[t]}`),``].join(`; `).trim()}gr.map(([" +
  "e])=>`.${Z(e)} { --colour: var(--${Z(e)}); }`).join(`\n`);function vr(e,t){let[n,r]=Sr(e.fi" +
  "lter(e=>e>0&&Number.isFinite(e))),i=Math.max((Math.log10(r)-Math.log10(n))*.08,.004),a=[Ma" +
  "th.log10(n)-i,Math.log10(r)+i],o=Cr(a,t);return{position:e=>o(Math.log10(e)),ticks:br(...a" +
  ")}}function yr(e,t,n){let r=t-e;if(!(r>0)||!Number.isFinite(r))return[];let i=r/n,a=10**Ma" +
  "th.floor(Math.log10(i)),o=a*([1,2,5,10].find(e=>e*a>=i)??10),s=Math.ceil(e/o-1e-9),c=Math." +
  "floor(t/o+1e-9),l=Math.max(0,-Math.floor(Math.log10(o)+1e-9));return Array.from({length:c-" +
  "s+1},(e,t)=>Number(((s+t)*o).toFixed(l)))}function br(e,t){let n=t-e;if(n<.5)return yr(10*" +
  "*e,10**t,6);let r=n>4?[1]:n>1.3?[1,2,5]:[1,1.5,2,3,4,6,8],i=Math.max(1,Math.ceil(n/xr)),a=" +
  "i*Math.floor(e/i);return Array.from({length:Math.ceil((t-a)/i)+1},(e,t)=>a+i*t).flatMap(e=" +
  ">r.map(t=>wr(t*10**e))).filter(n=>Math.log10(n)>=e&&Math.log10(n)<=t)}let xr=9;function Sr" +
  "(e){let t=e.filter(Number.isFinite);if(t.length===0)return[.1,1];let n=Math.min(...t),r=Ma" +
  "th.max(...t);return n<r?[n,r]:n===0?[0,1]:[n-.05*Math.abs(n),n+.05*Math.abs(n)]}function C" +
  "r(e,t){let[n,r]=e;return e=>t[0]+(e-n)/(r-n)*(t[1]-t[0])}function wr(e){return Number(e.to" +
  "Precision(12))}let Tr=[16,8,4,3,2,1.58,1];function Er(e,t,n){return e===16?n:`w${e}${t===n" +
  "ull?``:`g${t}`}`}function Dr(e,t){return e===8?`w8g64-sym`:Er(e,64,t)}function Or({shape:e" +
  ",floats:t},n){let{bits:r,group:i,kvCache:a,context:o}=n,s=Dr(n.embedding,t),c=Dr(e.tied?n." +
  "embedding:n.head,t);return{storage:{linear:Er(r,i,t),embedding:s,head:c,others:t},kvCache:" +
  "a,context:o}}function kr(e,t){let n=Or(e,t),r=e.machines.find(({id:e})=>e===t.machine)??e." +
  "machines[0];return{...nr(e.shape,n,r.energy),scheme:n.storage.linear,machine:r,speeds:Ar(e" +
  ".shape,n,r),fit:rr(e.shape,n,r.memoryBytes)}}function Ar(e,t,n){let{table:r,threads:i,limi" +
  "ts:a}=n;if(!r)return tr(e,t,a);try{return hr(r,e,t,i===void 0?{}:{threads:i})}catch(e){if(" +
  "e instanceof Me)return null;throw e}}function jr(e,t){let n=Tr.map(n=>({bits:n,...kr(e,{.." +
  ".t,bits:n})})).flatMap(e=>e.speeds?[{...e,speed:e.speeds.decode}]:[]),r=[0,1],i=vr(n.map(e" +
  "=>e.memory.all),r),a=vr(n.map(e=>e.speed),r),o=n.map(e=>{let n=e.bits===16?`16 bits`:e.sch" +
  "eme;return{id:e.scheme,x:i.position(e.memory.all),y:a.position(e.speed),whisker:null,colou" +
  "r:Z(e.bits),shape:e.bits===t.bits?`circle`:`square`,label:n,faded:e.bits!==t.bits,near:!0," +
  "title:`${n}\\n${C(e.memory.all)}\\n${S(e.speed)} tokens a second`}});return{x:{title:`memory" +
  "`,ticks:i.ticks.map(e=>({at:i.position(e),label:Te(C(e))}))},y:{title:`tokens a second`,ti" +
  "cks:a.ticks.map(e=>({at:a.position(e),label:`${e}`}))},lines:[{kind:`front`,colour:``,plac" +
  "es:o.map(e=>[e.x,e.y])}],points:o,side:`right`}}let Mr={wide:{width:620,top:0,plotHeight:3" +
  "30,fontSize:13,labelReach:60},narrow:{width:350,top:0,plotHeight:250,fontSize:12.5,labelRe" +
  "ach:28}};function Q(e,t){let n=new FormData(e).get(t);return typeof n==`string`?n:``}funct" +
  "ion Nr(e){let t=Q(e,`group`);return{bits:Number(Q(e,`bits`)),group:t===`row`?null:Number(t" +
  "),embedding:Number(Q(e,`embedding`)),head:Number(Q(e,`head`)||Q(e,`embedding`)),kvCache:Q(" +
  "e,`kvCache`),context:Math.round(2**Number(Q(e,`context`))),machine:Q(e,`machine`)}}functio" +
  "n Pr(e,t){let n=Nr(t),r=kr(e,n);for(let[t,i]of Object.entries(Oe(e,n,r))){let e=document.q" +
  "uerySelector(`[data-figure=\"${t}\"]`);e&&(e.textContent=i)}for(let[e,t]of Object.entries(r." +
  "memory)){let n=document.querySelector(`[data-part=\"${e}\"]`);n&&(n.style.flexGrow=String(t/" +
  "r.memory.all))}let i=Math.min(1,r.memory.all/r.machine.memoryBytes);document.querySelector" +
  "(`#bar`)?.style.setProperty(`--filled`,`${100*i}%`),document.querySelector(`#fit`)?.classL" +
  "ist.toggle(`bad`,!r.fit.fits),t.querySelector(`[name=\"context\"]`)?.setAttribute(`aria-valu" +
  "etext`,`${n.context} tokens`);for(let t of document.querySelectorAll(`svg.chart`)){let r=M" +
  "r[t.getAttribute(`data-size`)??``],{content:i,height:a}=xe(jr(e,n),r);t.innerHTML=i,t.setA" +
  "ttribute(`viewBox`,`0 0 ${r.width} ${a}`)}}let Fr=document.getElementById(`data`)?.textCon" +
  "tent,$=document.querySelector(`form`);if(Fr&&$){let e=JSON.parse(Fr);$.addEventListener(`i" +
  "nput`,()=>Pr(e,$)),$.addEventListener(`submit`,e=>e.preventDefault()),Pr(e,$)}})();";
